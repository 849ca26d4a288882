"""Simulated strain: coloured Gaussian noise, with glitches if asked for.

The sample at a GPS time is a function of seed, interferometer, time,
sample rate and PSD alone. White noise is drawn in blocks that are fixed in
GPS time, and a finite zero-phase filter colours it block by block with the
same operations whichever stretch is asked for. How a span is cut into files
therefore changes no bit of it, and a cut is no seam in the noise.
"""

import numpy as np
from scipy import fft

from datagen import glitches, grid
from datagen.grid import BLOCK_DURATION
from datagen.psds import Psd

MINIMUM_FREQUENCY = 20.0
"""Below this frequency (Hz) the noise keeps the density that it has there."""

FILTER_DURATION = 8
"""Seconds over which the colouring filter extends, half to each side."""


def strain(
    psd: Psd,
    *,
    ifo: str,
    start: float,
    duration: float,
    sample_rate: float,
    seed: int,
    glitch_config: glitches.GlitchConfig | None = None,
) -> np.ndarray:
    """Simulate the strain of one interferometer.

    Args:
        psd: one-sided power spectral density of the noise.
        ifo: the interferometer.
        start: GPS start, s, on the sample grid.
        duration: length, s, a whole number of samples.
        sample_rate: Hz, a whole number.
        seed: the global seed.
        glitch_config: population of glitches to add; None adds none.

    Returns:
        Strain, float64, shape ``(duration * sample_rate,)``.

    Raises:
        UserError: if the span is off the sample grid, the PSD does not
            cover the band from 20 Hz to the Nyquist frequency, or the
            glitches do not fit the sample rate.
    """
    data = noise(
        psd,
        ifo=ifo,
        start=start,
        duration=duration,
        sample_rate=sample_rate,
        seed=seed,
    )
    if glitch_config is not None:
        glitches.add(
            data,
            glitch_config,
            psd,
            ifo=ifo,
            start=start,
            sample_rate=sample_rate,
            seed=seed,
            minimum_frequency=MINIMUM_FREQUENCY,
        )
    return data


def noise(
    psd: Psd,
    *,
    ifo: str,
    start: float,
    duration: float,
    sample_rate: float,
    seed: int,
) -> np.ndarray:
    """Simulate coloured Gaussian noise.

    Args:
        psd: one-sided power spectral density, 1/Hz.
        ifo: the interferometer.
        start: GPS start, s, on the sample grid.
        duration: length, s, a whole number of samples.
        sample_rate: Hz, a whole number.
        seed: the global seed.

    Returns:
        Strain, float64, shape ``(duration * sample_rate,)``.

    Raises:
        UserError: if the span is off the sample grid or the PSD does not
            cover the band from 20 Hz to the Nyquist frequency.
    """
    first, size = grid.span(start, duration, sample_rate)
    response = colouring_filter(psd, sample_rate)
    block_size = BLOCK_DURATION * int(sample_rate)
    margin = FILTER_DURATION // 2 * int(sample_rate)

    def white(block: int) -> np.ndarray:
        purpose = f"noise at {int(sample_rate)} Hz"
        random = grid.generator(seed, ifo, purpose, block)
        return random.standard_normal(block_size)

    output = np.empty(size)
    begin = first // block_size
    end = (first + size - 1) // block_size + 1
    past, present = white(begin - 1), white(begin)
    for block in range(begin, end):
        future = white(block + 1)
        padded = np.concatenate([past[-margin:], present, future[:margin]])
        coloured = _filter(padded, response)[margin:-margin]
        offset = block * block_size - first
        low, high = max(offset, 0), min(offset + block_size, size)
        output[low:high] = coloured[low - offset : high - offset]
        past, present = present, future
    return output


def _filter(data: np.ndarray, response: np.ndarray) -> np.ndarray:
    # One transform at a time, and real products only: vectorised
    # transforms and fused complex products may round differently
    # depending on how many blocks are treated together.
    spectrum = fft.rfft(data).view(np.float64).reshape(-1, 2)
    spectrum *= response[:, None]
    return fft.irfft(spectrum.view(np.complex128)[:, 0], n=len(data))


def colouring_filter(psd: Psd, sample_rate: float) -> np.ndarray:
    """Frequency response that gives white noise a power spectral density.

    White noise of unit variance has the one-sided density 2/sample_rate,
    so that the response is sqrt(S(f) sample_rate / 2). Its impulse response
    is symmetric about zero and tapered by a Hann window of
    ``FILTER_DURATION``, which smooths the amplitude density over about
    0.25 Hz and keeps circular convolution of a padded block free of
    wrap-around.

    Args:
        psd: one-sided power spectral density, 1/Hz.
        sample_rate: Hz, a whole number.

    Returns:
        Real response at the frequencies of the real Fourier transform of a
        block padded by half of ``FILTER_DURATION`` on each side.

    Raises:
        UserError: if the PSD does not cover the band from 20 Hz to the
            Nyquist frequency.
    """
    psd.check(MINIMUM_FREQUENCY, sample_rate / 2)
    size = (BLOCK_DURATION + FILTER_DURATION) * int(sample_rate)
    frequencies = fft.rfftfreq(size, 1 / sample_rate)
    density = psd(np.maximum(frequencies, MINIMUM_FREQUENCY))
    impulse = fft.irfft(np.sqrt(density * sample_rate / 2), n=size)
    samples = np.arange(size)
    lag = np.minimum(samples, size - samples) / sample_rate
    half = FILTER_DURATION / 2
    taper = np.where(lag < half, np.cos(np.pi / 2 * lag / half) ** 2, 0.0)
    return fft.rfft(impulse * taper).real
