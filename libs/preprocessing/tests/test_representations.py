import math

import numpy as np
import pytest
import torch
from conventions.errors import UserError
from preprocessing.batch import BatchWhitener
from preprocessing.config import Preprocessing
from preprocessing.manifest import InputSpec
from preprocessing.representations import Heterodyned, Inputs, Spectrum

RATE = 256
SOLAR_MASS_SECONDS = 4.925491025543576e-06  # G M_sun / c^3, of LAL


def config(**changes):
    settings = {
        "ifos": ("H1", "L1"),
        "sample_rate": RATE,
        "kernel_length": 2.0,
        "fduration": 1.0,
        "highpass": 20.0,
    }
    return Preprocessing(**settings | changes)


def noise(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator)


def specs():
    return (
        InputSpec("time", (2, 512)),
        InputSpec("frequency", (4, 216), "spectrum"),
        InputSpec(
            "slow",
            (4, 128),
            "heterodyned",
            {"chirp_mass": [1.2, 2.0], "sample_rate": 64},
        ),
    )


@pytest.mark.parametrize(
    ("changes", "first", "stop"),
    [
        ({}, 40, 256),
        ({"highpass": None}, 0, 256),
        ({"lowpass": 100.0}, 40, 200),
        ({"highpass": 20.2}, 41, 256),
    ],
)
def test_spectrum_is_that_of_numpy(changes, first, stop):
    X = noise(3, 2, 512)
    spectrum = Spectrum(config(**changes))
    expected = np.fft.rfft(X.double().numpy())[..., first:stop] / 16
    expected = np.concatenate([expected.real, expected.imag], axis=1)
    found = spectrum(X)
    assert found.shape[1:] == spectrum.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_every_representation_of_white_noise_has_unit_variance():
    inputs = Inputs(config(highpass=None), specs()[:1])
    assert inputs(noise(64, 2, 512))[0].var() == pytest.approx(1, abs=0.02)
    spectrum = Spectrum(config())(noise(64, 2, 512))
    assert spectrum.var() == pytest.approx(1, abs=0.02)
    slow = Heterodyned(config(), [1.2, 2.0], sample_rate=64)
    assert slow(noise(64, 2, 512)).var() == pytest.approx(1, abs=0.02)


def chirp(mass, time, size=512, rate=RATE):
    """Flat spectrum with the phase of a leading-order inspiral."""
    f = np.fft.rfftfreq(size, 1 / rate)
    with np.errstate(divide="ignore"):
        u = (np.pi * mass * SOLAR_MASS_SECONDS * f) ** (-5 / 3)
    phase = 2 * np.pi * f * time + 3 / 128 * u
    spectrum = np.exp(-1j * np.where(f > 0, phase, 0)) * (f > 0)
    spectrum[-1] = 0
    return np.fft.irfft(spectrum, size)


@pytest.mark.parametrize("rate", [None, 64])
def test_a_chirp_of_that_mass_is_a_pulse_at_its_coalescence(rate):
    mass, time = 1.7, 1.25
    X = torch.from_numpy(chirp(mass, time)).float()
    kernels = torch.stack([X, 0 * X])[None]
    found = Heterodyned(config(), [0.9, mass], rate)(kernels)[0]
    rate = rate or RATE
    size = 2 * rate
    assert found.shape == (4, size)
    # all frequencies but 0 and the old Nyquist's, in phase at one time
    expected = np.ones(size // 2 + 1)
    expected[0] = 0
    expected[-1] = 0 if rate == RATE else 1
    pulse = np.roll(np.fft.irfft(expected, size), round(time * rate))
    pulse *= math.sqrt(size / 512)
    np.testing.assert_allclose(found[1], pulse, atol=2e-3 * pulse.max())
    assert found[0].abs().max() < 0.5 * pulse.max()
    assert not found[2:].any()


def test_resampling_takes_the_low_frequencies_alone():
    t = torch.arange(512) / RATE
    high = torch.sin(2 * math.pi * 100 * t).expand(1, 2, -1)
    assert Heterodyned(config(), [1.2], 64)(high).abs().max() < 1e-4
    assert Heterodyned(config(), [1.2])(high).abs().max() > 0.1


def test_all_inputs_in_order_and_traced():
    inputs = Inputs(config(), specs())
    X = noise(3, 2, 512)
    found = inputs(X)
    assert [tuple(y.shape[1:]) for y in found] == [s.shape for s in specs()]
    assert torch.equal(found[0], X)
    traced = torch.jit.trace(inputs, X[:1])
    for one, other in zip(traced(X), found, strict=True):
        torch.testing.assert_close(one, other)
    assert {y.dtype for y in found} == {torch.float32}


def test_steps_on_single_channels_are_the_whole():
    """What time-slides share: each channel by itself, step by step."""
    settings = config(ifos=("H1", "L1", "V1"), highpass=32.0)
    whitener = BatchWhitener(settings, 8.0, 4.0, 8)
    full = 1e-21 * noise(2, 3, int((8 + 3 + 7 / 4) * RATE))
    expected = whitener(full)
    for channel in range(3):
        psd = whitener.estimate(full[0, [channel], : whitener.psd_size])
        rest = full[:, [channel], whitener.stretch_start :]
        made = whitener.whitener.make_filter(psd, rest.size(-1))
        for stream in range(2):
            whitened = whitener.whitener.apply_filter(
                rest[stream : stream + 1], made
            )
            kernels = whitener.cut(whitened)
            part = expected[8 * stream : 8 * (stream + 1), [channel]]
            torch.testing.assert_close(kernels, part, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            InputSpec("X", (2, 512), "wavelet"),
            "input X of the network: representation 'wavelet' is not one of "
            "whitened, spectrum, heterodyned, q_transform",
        ),
        (InputSpec("X", (2, 500)), r"shape \(2, 500\): .* has \(2, 512\)"),
        (
            InputSpec("X", (2, 512), "heterodyned"),
            "arguments of representation heterodyned: missing .*chirp_mass",
        ),
        (
            InputSpec("X", (4, 216), "spectrum", {"window": "hann"}),
            "unexpected keyword argument 'window'",
        ),
        (
            InputSpec("X", (2, 512), "heterodyned", {"chirp_mass": [0]}),
            r"chirp_mass: \[0\] must be a list of positive",
        ),
        (
            InputSpec("X", (2, 512), "heterodyned", {"chirp_mass": 1.2}),
            "chirp_mass: 1.2 must be a list",
        ),
        (
            InputSpec(
                "X",
                (2, 512),
                "heterodyned",
                {"chirp_mass": [1], "sample_rate": 512},
            ),
            "sample_rate: 512 Hz must be positive and at most",
        ),
        (
            InputSpec(
                "X",
                (2, 512),
                "heterodyned",
                {"chirp_mass": [1], "sample_rate": 33.3},
            ),
            "kernel_length of 2.0 s is 66.6 samples",
        ),
    ],
)
def test_errors_name_the_input(spec, message):
    with pytest.raises(UserError, match=message) as caught:
        Inputs(config(), [spec])
    assert str(caught.value).startswith("input X of the network")


def test_a_band_without_a_frequency():
    with pytest.raises(UserError, match=r"none lies from highpass 20\.1 Hz"):
        Spectrum(config(highpass=20.1, lowpass=20.4))
