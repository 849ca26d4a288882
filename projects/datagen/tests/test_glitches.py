import math

import numpy as np
import pytest
from conventions.errors import UserError
from datagen import glitches, simulate
from datagen.glitches import Glitch, GlitchConfig
from datagen.grid import BLOCK_DURATION

START = 1_000_000_000
RATE = 1024
OPTIONS = {"ifo": "H1", "sample_rate": RATE, "seed": 5}


def add(flat_psd, config, start=START, duration=64.0, **options):
    data = np.zeros(int(duration * RATE))
    glitches.add(
        data,
        config,
        flat_psd,
        start=start,
        minimum_frequency=20.0,
        **(OPTIONS | options),
    )
    return data


def test_rate_is_poisson():
    config = GlitchConfig(100)
    counts = [
        len(glitches.draw(config, seed=1, ifo="H1", block=block))
        for block in range(4000)
    ]
    mean = 100 * BLOCK_DURATION / 3600
    assert np.mean(counts) == pytest.approx(mean, abs=4 * (mean / 4000) ** 0.5)
    assert np.var(counts) == pytest.approx(mean, rel=0.15)


def test_parameters_fill_their_ranges():
    config = GlitchConfig(
        500, snr=(6, 60), frequency=(50, 200), quality=(5, 6)
    )
    drawn = [
        glitch
        for block in range(1000)
        for glitch in glitches.draw(config, seed=1, ifo="H1", block=block)
    ]
    for name in ("snr", "frequency", "quality"):
        low, high = getattr(config, name)
        values = np.array([getattr(glitch, name) for glitch in drawn])
        assert low <= values.min()
        assert values.max() <= high
        middle = math.sqrt(low * high)
        assert np.mean(values < middle) == pytest.approx(0.5, abs=0.05)
    times = np.array([glitch.time for glitch in drawn])
    assert times.min() >= 0
    assert times.max() < BLOCK_DURATION


def test_snr_against_parseval(flat_psd):
    # white noise of density S: rho^2 = (2/S) integral h^2 dt
    glitch = Glitch(time=8.0, snr=12.0, frequency=100, quality=10, phase=1)
    _, strain = glitches.waveform(glitch, flat_psd, RATE, 20.0)
    rho = math.sqrt(2 * (strain**2).sum() / RATE / 1e-46)
    assert rho == pytest.approx(12.0, rel=1e-6)


def test_waveform_is_a_sine_gaussian(flat_psd):
    glitch = Glitch(time=8.0, snr=12.0, frequency=100, quality=10, phase=1)
    first, strain = glitches.waveform(glitch, flat_psd, RATE, 20.0)
    t = (first + np.arange(len(strain))) / RATE - 8.0
    tau = 10 / (math.sqrt(2) * math.pi * 100)
    # integral of h^2 is A^2 tau sqrt(pi/8) up to exp(-Q^2)
    amplitude = 12 * math.sqrt(1e-46 / 2 / (tau * math.sqrt(math.pi / 8)))
    expected = (
        amplitude
        * np.exp(-((t / tau) ** 2))
        * np.cos(2 * math.pi * 100 * t + 1)
    )
    np.testing.assert_allclose(strain, expected, atol=1e-6 * amplitude)
    assert abs(strain[[0, -1]]).max() < 1e-14 * amplitude


def test_only_the_band_counts_in_the_snr(flat_psd):
    t = np.arange(8 * RATE) / RATE
    slow = np.sin(2 * np.pi * 10 * t)
    snr = glitches.optimal_snr(slow, flat_psd, RATE, 20.0)
    assert snr < 1e-3 * glitches.optimal_snr(slow, flat_psd, RATE, 5.0)


def test_sum_is_that_of_the_drawn_glitches(flat_psd):
    config = GlitchConfig(3000)
    found = add(flat_psd, config, START, 64)
    expected = np.zeros(96 * RATE)
    for block in range(START // 16 - 1, START // 16 + 5):
        for glitch in glitches.draw(config, seed=5, ifo="H1", block=block):
            at, strain = glitches.waveform(glitch, flat_psd, RATE, 20.0)
            at += (16 * block - START + 16) * RATE
            np.add.at(expected, at + np.arange(len(strain)), strain)
    np.testing.assert_allclose(
        found, expected[16 * RATE : 80 * RATE], atol=1e-30
    )
    assert np.count_nonzero(found) > RATE


def test_glitch_across_an_edge_is_seamless(flat_psd):
    config = GlitchConfig(3000)
    whole = add(flat_psd, config)
    (block,) = [START // 16 + 1]
    glitch = glitches.draw(config, seed=5, ifo="H1", block=block)[0]
    cut = round((16 + glitch.time) * RATE)
    left = add(flat_psd, config, START, cut / RATE)
    right = add(flat_psd, config, START + cut / RATE, 64 - cut / RATE)
    assert left[-1] != 0
    assert right[0] != 0
    assert np.array_equal(np.concatenate([left, right]), whole)


def test_interferometers_and_seeds_differ(flat_psd):
    config = GlitchConfig(3000)
    base = add(flat_psd, config)
    assert not np.array_equal(base, add(flat_psd, config, ifo="L1"))
    assert not np.array_equal(base, add(flat_psd, config, seed=6))


def test_strain_is_noise_plus_glitches(flat_psd):
    options = OPTIONS | {"start": START, "duration": 64}
    config = GlitchConfig(600)
    quiet = simulate.strain(flat_psd, **options)
    loud = simulate.strain(flat_psd, glitch_config=config, **options)
    np.testing.assert_allclose(loud - quiet, add(flat_psd, config), atol=1e-32)
    none = simulate.strain(flat_psd, glitch_config=GlitchConfig(0), **options)
    assert np.array_equal(none, quiet)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate_per_hour": -1}, "rate_per_hour = -1"),
        ({"rate_per_hour": math.nan}, "rate_per_hour = nan"),
        ({"snr": (10, 5)}, r"snr = \[10, 5\]"),
        ({"snr": [5, 10, 20]}, r"snr = \[5, 10, 20\] is not a lowest"),
        ({"frequency": (0, 100)}, r"frequency = \[0, 100\]"),
        ({"quality": (4, 4000)}, "quality = 4000.*at most 16 s"),
    ],
)
def test_config_rejects(options, message):
    with pytest.raises(UserError, match=message):
        GlitchConfig(**({"rate_per_hour": 1} | options))


@pytest.mark.parametrize("frequency", [(40, 512), (10, 100)])
def test_frequencies_outside_the_band_are_an_error(flat_psd, frequency):
    config = GlitchConfig(1, frequency=frequency)
    with pytest.raises(UserError, match=r"not within \[20, 512\) Hz"):
        add(flat_psd, config)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"rate": 10},
            "glitches: 'rate' is unknown, accepted are rate_per_hour, snr, "
            "frequency, quality",
        ),
        ({"snr": [5, 50]}, "does not give rate_per_hour"),
        ({"rate_per_hour": "10"}, "rate_per_hour = '10' is not"),
        ({"rate_per_hour": True}, "rate_per_hour = True is not"),
        ({"rate_per_hour": 1, "snr": 5}, "snr = 5 is not a lowest"),
        ({"rate_per_hour": 1, "snr": "ab"}, "snr = 'ab' is not a lowest"),
        (
            {"rate_per_hour": 1, "quality": ["4", "9"]},
            r"quality = \['4', '9'\] is not a lowest",
        ),
    ],
    ids=str,
)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        GlitchConfig.from_mapping(settings)


def test_settings_are_a_population():
    settings = {"rate_per_hour": 2, "snr": (5, 9)}
    assert GlitchConfig.from_mapping(settings) == GlitchConfig(2, (5, 9))
