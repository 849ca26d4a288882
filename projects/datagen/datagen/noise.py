"""Power spectral densities of background files, for signal-to-noise."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import scipy.signal
from conventions.errors import UserError

from datagen import background

SEGMENTS_AT_ONCE = 64
MOST_FILES = 16
"""Files of a long background that are looked at, evenly chosen."""


def median_psd(
    strain: h5py.Dataset | np.ndarray, sample_rate: float, fftlength: float
) -> np.ndarray:
    """Estimate a PSD by Welch's method with a median average.

    Hann window, overlap of one half, each segment's mean removed, bias of
    the median corrected (gr-qc/0509116 appendix B); the same as
    ``scipy.signal.welch(average="median")``, reading blocks of the data.

    Args:
        strain: one-dimensional data.
        sample_rate: Hz.
        fftlength: length of a segment in s.

    Returns:
        One-sided PSD in 1/Hz at multiples of 1/fftlength from 0 Hz to
        Nyquist.

    Raises:
        UserError: if the data are shorter than a segment, or a segment is
            not an even whole number of samples.
    """
    samples = fftlength * sample_rate
    size = round(samples)
    if size < 2 or size % 2 or abs(samples - size) > 1e-6:
        raise UserError(
            f"fftlength {fftlength} s at {sample_rate} Hz is {samples} "
            "samples; an even whole number is needed"
        )
    hop = size // 2
    count = (len(strain) - size) // hop + 1
    if count < 1:
        raise UserError(
            f"{len(strain) / sample_rate} s of background are shorter than "
            f"the fftlength of {fftlength} s"
        )
    powers = np.empty((count, size // 2 + 1))
    for first in range(0, count, SEGMENTS_AT_ONCE):
        last = min(first + SEGMENTS_AT_ONCE, count)
        block = strain[first * hop : (last - 1) * hop + size]
        _, _, power = scipy.signal.spectrogram(
            np.asarray(block, float),
            sample_rate,
            window="hann",
            nperseg=size,
            noverlap=size - hop,
            detrend="constant",
        )
        powers[first:last] = power.T
    terms = np.arange(1, (count - 1) // 2 + 1)
    bias = 1 + np.sum(1 / (2 * terms + 1) - 1 / (2 * terms))
    return np.median(powers, axis=0, overwrite_input=True) / bias


def network_psds(
    files: Sequence[Path],
    ifos: Sequence[str],
    *,
    sample_rate: float,
    duration: float,
    fftlength: float | None = None,
    highpass: float | None = None,
    lowpass: float | None = None,
) -> np.ndarray:
    """Estimate the PSD of each interferometer at a waveform's frequencies.

    The median over the files of each file's :func:`median_psd`. Of more
    than 16 files 16 are used, evenly chosen.

    Args:
        files: background files.
        ifos: interferometers.
        sample_rate: Hz that the files must have.
        duration: length of the waveforms in s.
        fftlength: length of Welch's segments in s; None for ``duration``.
            Where it differs, the PSD is interpolated linearly.
        highpass: lowest frequency that will be used in Hz.
        lowpass: highest frequency that will be used in Hz.

    Returns:
        PSDs in 1/Hz of shape (ifo, frequency).

    Raises:
        UserError: if there is no file, a file cannot be analysed, or the
            PSD vanishes at a frequency that will be used.
    """
    if not files:
        raise UserError("background is empty; at least one file is needed")
    fftlength = fftlength or duration
    number = min(len(files), MOST_FILES)
    chosen = np.linspace(0, len(files) - 1, number).round().astype(int)
    wanted = np.fft.rfftfreq(round(duration * sample_rate), 1 / sample_rate)
    psds = np.empty((number, len(ifos), len(wanted)))
    for row, path in enumerate(files[index] for index in chosen):
        background.check(path, ifos, sample_rate)
        with h5py.File(path) as file:
            for column, ifo in enumerate(ifos):
                psd = median_psd(file[ifo], sample_rate, fftlength)
                own = np.arange(len(psd)) / fftlength
                psds[row, column] = np.interp(wanted, own, psd)
        used = (wanted >= (highpass or 0)) & (wanted > 0)
        used &= wanted <= (lowpass or np.inf)
        if not (psds[row][:, used] > 0).all():
            raise UserError(
                f"{path}: the PSD vanishes at frequencies between highpass "
                f"{highpass} Hz and lowpass {lowpass} Hz; no signal-to-noise "
                "ratio can be given"
            )
    return np.median(psds, axis=0)
