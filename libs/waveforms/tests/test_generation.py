import bilby
import lalsimulation
import numpy as np
import pytest
from conventions.errors import UserError
from ledger.injections import WaveformPolarizationSet
from scipy.fft import rfft

RATE, DURATION, RIGHT_PAD = 1024.0, 8.0, 0.5


def bilby_polarizations(binaries, row, approximant, duration=DURATION):
    source = bilby.gw.source.lal_binary_black_hole
    maker = bilby.gw.WaveformGenerator(
        duration=duration,
        sampling_frequency=RATE,
        frequency_domain_source_model=source,
        waveform_arguments={
            "waveform_approximant": approximant,
            "reference_frequency": 50.0,
            "minimum_frequency": 16.0,
        },
    )
    names = [name for name in binaries.columns() if name != "redshift"]
    values = {name: float(getattr(binaries, name)[row]) for name in names}
    values["luminosity_distance"] = float(binaries.luminosity_distance[row])
    return maker.frequency_domain_strain(values)


def match(first, second, frequencies, psd, low=30.0, high=500.0):
    """Normalised overlap of two spectra, without maximisation."""
    use = (frequencies >= low) & (frequencies <= high)

    def product(a, b):
        return np.sum(a[use] * b[use].conj() / psd[use])

    norm = product(first, first).real * product(second, second).real
    return product(first, second).real / np.sqrt(norm)


@pytest.mark.parametrize(
    ("approximant", "precessing"),
    [("IMRPhenomD", False), ("IMRPhenomPv2", True), ("IMRPhenomXP", True)],
)
def test_polarizations_are_bilbys(
    approximant, precessing, random_binaries, generator, psds, rng
):
    binaries = random_binaries(8, rng, precessing)
    # Long enough to start at 20 Hz, short enough to fit into the window.
    binaries.mass_1 = np.linspace(25, 55, 8)
    binaries.mass_2 = np.linspace(25, 35, 8)
    waveforms = generator(approximant=approximant)(binaries)
    frequencies = np.fft.rfftfreq(int(RATE * DURATION), 1 / RATE)
    undo = np.exp(2j * np.pi * frequencies * (DURATION - RIGHT_PAD))
    for row in range(len(binaries)):
        expected = bilby_polarizations(binaries, row, approximant)
        for name, series in zip(("plus", "cross"), waveforms, strict=True):
            spectrum = rfft(series[row]) / RATE * undo
            overlap = match(spectrum, expected[name], frequencies, psds()[0])
            assert overlap > 0.9999
            power = [np.sum(np.abs(s[240:4000]) ** 2) for s in (
                spectrum, expected[name]
            )]  # fmt: skip
            assert power[0] == pytest.approx(power[1], rel=1e-3)


def test_long_inspirals_are_cut_out_of_the_longer_waveform(
    binaries, generator
):
    """8 s of a 40 s signal equal the last 8 s of a 64 s waveform."""
    light = binaries(mass_1=6.0, mass_2=5.0)
    short = generator()(light)
    long = generator(duration=64.0, minimum_frequency=12.0)(light)
    for name in (0, 1):
        peak = np.abs(long[name]).max()
        expected = long[name][0, -8192:]
        np.testing.assert_allclose(
            short[name][0, 256:], expected[256:], atol=0.01 * peak
        )


def test_waveforms_agree_with_lals_own_conditioning(binaries, generator, psds):
    """Up to the time of coalescence, where LAL puts the largest amplitude."""
    light = binaries(mass_1=20.0, mass_2=14.0)
    ours = generator(minimum_frequency=16.0)(light)
    solar_mass, parsec = 1.988409902147041e30, 3.0856775814913674e16
    theirs = lalsimulation.SimInspiralTD(
        *(20 * solar_mass, 14 * solar_mass, *(0.0,) * 6),
        float(light.luminosity_distance[0]) * 1e6 * parsec,
        *(0.6, 1.1, 0.0, 0.0, 0.0),
        *(1 / RATE, 16.0, 50.0, None, lalsimulation.IMRPhenomD),
    )
    size = 32768
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    weight = 1 / np.interp(
        frequencies, np.fft.rfftfreq(8192, 1 / RATE), psds()[0]
    )
    weight[(frequencies < 30) | (frequencies > 500)] = 0
    for series, their in zip(ours, theirs, strict=True):
        first, second = rfft(series[0], size), rfft(their.data.data, size)
        norms = [
            np.sum(weight * np.abs(spectrum) ** 2)
            for spectrum in (first, second)
        ]
        product = np.fft.irfft(weight * first * second.conj(), 8 * size)
        overlap = 4 * size * product.max() / np.sqrt(norms[0] * norms[1])
        assert overlap > 0.9999
        assert norms[0] == pytest.approx(norms[1], rel=2e-3)
        start = 7.5 + float(their.epoch)
        lag = product.argmax() / (8 * RATE) - start
        assert (lag + 16) % 32 - 16 == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize("right_pad", [0.3, 0.5, 1.2345])
@pytest.mark.parametrize("approximant", ["IMRPhenomD", "SEOBNRv4"])
def test_coalescence_lies_right_pad_before_the_edge(
    right_pad, approximant, binaries, generator
):
    make = generator(
        right_pad=right_pad, approximant=approximant, duration=4.0
    )
    plus, cross = make(binaries(mass_1=30.0, mass_2=29.0))
    peak = np.hypot(plus, cross)[0].argmax() / RATE
    assert peak == pytest.approx(4.0 - right_pad, abs=6 / RATE)


def test_nothing_wraps_around_and_the_start_is_quiet(
    random_binaries, generator, rng
):
    binaries = random_binaries(40, rng, precessing=False)
    binaries.mass_1[:10] *= 4
    plus, cross = generator()(binaries)
    size = np.hypot(plus, cross)
    size /= size.max(axis=1, keepdims=True)
    assert size[:, :20].max() < 1e-3
    assert size[:, -200:].max() < 5e-3


@pytest.mark.parametrize("right_pad", [0.0, 8 / RATE])
def test_a_ringdown_beyond_the_right_edge_does_not_wrap(
    right_pad, binaries, generator
):
    heavy = binaries(mass_1=200.0, mass_2=150.0)
    plus, _ = generator(right_pad=right_pad)(heavy)
    assert np.abs(plus[0, :2000]).max() < 2e-3 * np.abs(plus).max()
    whole, _ = generator(right_pad=0.5)(heavy)
    kept = 8192 - round((0.5 - right_pad) * RATE)
    np.testing.assert_allclose(
        plus[0, -4000:],
        whole[0, kept - 4000 : kept],
        atol=2e-3 * np.abs(plus).max(),
    )


def test_heavy_binaries_have_lower_starting_and_reference_frequencies(
    binaries, generator
):
    masses = np.array([20.0, 60.0, 120.0])
    minimum, reference = generator().frequencies(
        binaries(mass_1=masses, mass_2=masses)
    )
    np.testing.assert_allclose(minimum, [20, 1899 / 120, 1899 / 240])
    np.testing.assert_allclose(reference, [50, 1899 / 120, 1899 / 240])


def test_amplitude_falls_with_luminosity_distance(binaries, generator):
    pair = binaries(redshift=[0.1, 0.3])
    plus, _ = generator()(pair)
    ratio = pair.luminosity_distance[1] / pair.luminosity_distance[0]
    np.testing.assert_allclose(plus[0], plus[1] * ratio, rtol=1e-6)


def test_order_and_company_do_not_matter(random_binaries, generator, rng):
    some = random_binaries(70, rng, precessing=False)
    make = generator(duration=2.0)
    plus, _ = make(some)
    alone, _ = make(some[66])
    np.testing.assert_allclose(
        plus[66], alone[0], atol=1e-12 * np.abs(alone).max()
    )


def test_no_binaries_give_no_waveforms(binaries, generator):
    none = binaries()[np.zeros(0, int)]
    for approximant in ("IMRPhenomD", "SEOBNRv4"):
        plus, cross = generator(approximant=approximant)(none)
        assert plus.shape == cross.shape == (0, 8192)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"approximant": "IMRPhenomQ"}, "IMRPhenomQ.*such as IMRPhenom"),
        ({"sample_rate": 0.0}, "sample_rate is 0"),
        ({"minimum_frequency": -1.0}, "minimum_frequency is -1"),
        ({"reference_frequency": 0.0}, "reference_frequency is 0"),
        ({"duration": 1.0003}, "an even whole number"),
        ({"right_pad": 8.0}, "right_pad is 8"),
        ({"right_pad": -0.1}, "right_pad is -0.1"),
        ({"minimum_frequency": 600.0}, "not below half"),
    ],
)
def test_bad_settings(values, message, generator):
    with pytest.raises(UserError, match=message):
        generator(**values)


def test_waveform_that_lal_cannot_make(binaries, generator):
    precessing = binaries(a_1=0.5, tilt_1=1.0)
    with pytest.raises(UserError, match=r"IMRPhenomD for masses 38"):
        generator()(precessing)


@pytest.mark.parametrize("tilt", [0.0, np.pi])
def test_aligned_spins_are_no_precession(tilt, binaries, generator):
    aligned = binaries(a_1=0.5, tilt_1=tilt, a_2=0.3, phi_jl=1.0, phi_12=2.0)
    plus, _ = generator()(aligned)
    assert np.isfinite(plus).all()


def test_the_ledger_is_filled_by_the_generator(binaries, generator):
    make = generator(duration=2.0)
    table = WaveformPolarizationSet.from_parameters(
        binaries(),
        make.minimum_frequency,
        make.reference_frequency,
        make.sample_rate,
        make.duration,
        make.approximant,
        make.right_pad,
    )
    plus, cross = make(binaries())
    np.testing.assert_array_equal(
        table.get_waveforms(), np.stack([cross, plus], axis=1)
    )
    assert table.right_pad == make.right_pad
