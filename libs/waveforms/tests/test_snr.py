import bilby
import numpy as np
import pytest
from conventions.errors import UserError
from waveforms.response import detector_responses
from waveforms.snr import ifo_snrs, network_snr

RATE, SIZE = 1024.0, 8192


def test_snr_of_a_sine_in_white_noise():
    """rho^2 = A^2 T / S for a sine of amplitude A."""
    time = np.arange(SIZE) / RATE
    sine = 3e-22 * np.sin(2 * np.pi * 64 * time)
    psds = np.full((1, SIZE // 2 + 1), 2e-45)
    snr = ifo_snrs(sine[None, None], psds, RATE, 20)
    expected = 3e-22 * np.sqrt(8 / 2e-45)
    np.testing.assert_allclose(snr, expected)
    responses = np.stack([sine, 2 * sine])[None]
    network = network_snr(responses, np.repeat(psds, 2, 0), RATE, 20)
    np.testing.assert_allclose(network, expected * np.sqrt(5))


def test_single_precision_strain_does_not_underflow():
    sine = 1e-23 * np.sin(2 * np.pi * 64 * np.arange(SIZE) / RATE)
    psds = np.full((1, SIZE // 2 + 1), 2e-45)
    exact = ifo_snrs(sine[None], psds, RATE)
    single = ifo_snrs(sine[None].astype(np.float32), psds, RATE)
    np.testing.assert_allclose(single, exact, rtol=1e-5)


def test_snr_counts_the_band_only():
    time = np.arange(SIZE) / RATE
    tones = [np.sin(2 * np.pi * f * time) for f in (30, 64, 200)]
    psds = np.ones((1, SIZE // 2 + 1))
    for low, high, count in (
        (None, None, 3),
        (32, None, 2),
        (30, 64, 2),
        (32, 100, 1),
    ):
        snr = ifo_snrs(sum(tones)[None], psds, RATE, low, high)
        np.testing.assert_allclose(snr, np.sqrt(8 * count))


def test_snr_is_bilbys(random_binaries, generator, psds, rng):
    binaries = random_binaries(5, rng, precessing=False)
    strain = detector_responses(
        *generator()(binaries), binaries, ["H1", "L1"], RATE
    )
    snrs = ifo_snrs(strain, psds(), RATE, 32, 450)
    frequencies = np.fft.rfftfreq(SIZE, 1 / RATE)
    for column, ifo in enumerate(("H1", "L1")):
        detector = bilby.gw.detector.get_empty_interferometer(ifo)
        detector.minimum_frequency = 32
        detector.maximum_frequency = 450
        detector.power_spectral_density = (
            bilby.gw.detector.PowerSpectralDensity(
                frequency_array=frequencies, psd_array=psds()[column]
            )
        )
        detector.set_strain_data_from_zero_noise(RATE, SIZE / RATE)
        for row in range(5):
            spectrum = np.fft.rfft(strain[row, column]) / RATE
            expected = detector.optimal_snr_squared(spectrum).real ** 0.5
            assert snrs[row, column] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("shape", [(1, 100), (2, 51)])
def test_psds_of_another_shape(shape):
    with pytest.raises(UserError, match="PSDs have shape"):
        ifo_snrs(np.zeros((1, 100)), np.ones(shape), RATE)


def test_empty_band():
    with pytest.raises(UserError, match="between highpass 600"):
        ifo_snrs(np.zeros((1, 100)), np.ones((1, 51)), RATE, 600)
