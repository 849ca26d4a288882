"""Optimal signal-to-noise ratios."""

import numpy as np
import scipy.fft
from conventions.errors import UserError


def band(
    frequencies: np.ndarray, highpass: float | None, lowpass: float | None
) -> np.ndarray:
    """Which frequencies count.

    Args:
        frequencies: Hz, shape (frequency,).
        highpass: lowest that counts in Hz; None for the lowest positive.
        lowpass: highest that counts in Hz; None for the highest.

    Returns:
        Mask of shape (frequency,).

    Raises:
        UserError: if none counts.
    """
    mask = frequencies > 0
    if highpass is not None:
        mask &= frequencies >= highpass
    if lowpass is not None:
        mask &= frequencies <= lowpass
    if not mask.any():
        raise UserError(
            f"no frequency lies between highpass {highpass} Hz and lowpass "
            f"{lowpass} Hz; there are frequencies from {frequencies[0]} to "
            f"{frequencies[-1]} Hz"
        )
    return mask


def ifo_snrs(
    responses: np.ndarray,
    psds: np.ndarray,
    sample_rate: float,
    highpass: float | None = None,
    lowpass: float | None = None,
) -> np.ndarray:
    """Optimal SNR of each response in its interferometer.

    ``rho^2 = 4 sum_f |h(f)|^2 / S(f) df`` from highpass to lowpass.

    Args:
        responses: strain of shape (..., ifo, time).
        psds: one-sided power spectral densities in 1/Hz of shape
            (ifo, time // 2 + 1).
        sample_rate: Hz.
        highpass: lowest frequency that counts in Hz.
        lowpass: highest frequency that counts in Hz; None for Nyquist.

    Returns:
        SNRs of shape (..., ifo).

    Raises:
        UserError: if the frequencies of PSD and response differ, or none
            counts.
    """
    size = responses.shape[-1]
    frequencies = np.fft.rfftfreq(size, 1 / sample_rate)
    expected = (responses.shape[-2], len(frequencies))
    if psds.shape != expected:
        raise UserError(
            f"PSDs have shape {psds.shape}; responses of shape "
            f"{responses.shape} need {expected}"
        )
    mask = band(frequencies, highpass, lowpass)
    spectra = scipy.fft.rfft(np.asarray(responses, float))[..., mask]
    spectra /= sample_rate
    power = (np.abs(spectra) / np.sqrt(psds[:, mask])) ** 2
    return np.sqrt(4 * power.sum(axis=-1) * sample_rate / size)


def network_snr(
    responses: np.ndarray,
    psds: np.ndarray,
    sample_rate: float,
    highpass: float | None = None,
    lowpass: float | None = None,
) -> np.ndarray:
    """Optimal SNR of a network: its ifos' SNRs added in quadrature.

    Args:
        responses: as in :func:`ifo_snrs`, like the other arguments.
        psds: power spectral densities.
        sample_rate: Hz.
        highpass: Hz.
        lowpass: Hz.

    Returns:
        SNRs of shape (...).
    """
    snrs = ifo_snrs(responses, psds, sample_rate, highpass, lowpass)
    return np.linalg.norm(snrs, axis=-1)
