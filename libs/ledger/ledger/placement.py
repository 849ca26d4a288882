"""Where a signal lies on the grid of samples."""

import numpy as np

# Off-grid starts are told apart to this fraction of a sample.
_STEPS_PER_SAMPLE = 256


def first_samples(
    times: np.ndarray, start: float, sample_rate: float, left_pad: float
) -> np.ndarray:
    """Find the sample of data that takes the first sample of a waveform.

    A time goes to the nearest sample, halves up. Time and start are rounded
    separately on one grid of samples, so that starts which are a whole
    number of samples apart place a signal on the same absolute sample,
    whatever the rounding of GPS times in double precision.

    Args:
        times: coalescence times in GPS seconds, shape (row,).
        start: GPS time of the data's first sample.
        sample_rate: Hz.
        left_pad: seconds from a waveform's first sample to its coalescence.

    Returns:
        Sample numbers relative to ``start``, shape (row,); negative where
        a waveform starts before the data.
    """
    position = start * sample_rate
    offset = position - np.rint(position)
    offset = np.rint(offset * _STEPS_PER_SAMPLE) / _STEPS_PER_SAMPLE
    coalescence = np.floor(times * sample_rate - offset + 0.5)
    origin = np.rint(position - offset)
    return (coalescence - origin).astype(np.int64) - round(
        left_pad * sample_rate
    )


def add_waveform(
    channel: np.ndarray, waveform: np.ndarray, first: int
) -> None:
    """Add a waveform to data in place, as far as it lies within.

    Args:
        channel: shape (time,).
        waveform: shape (waveform time,).
        first: sample of ``channel`` at which ``waveform`` starts.
    """
    begin = max(first, 0)
    end = min(first + len(waveform), len(channel))
    if begin < end:
        channel[begin:end] += waveform[begin - first : end - first]
