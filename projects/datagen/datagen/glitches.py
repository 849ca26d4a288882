"""Poisson-distributed sine-Gaussian glitches in simulated strain."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from conventions.errors import UserError
from scipy import fft

from datagen import grid
from datagen.grid import BLOCK_DURATION
from datagen.psds import Psd

_EXTENT = 6.0
"""Decay times after which a glitch ends: its envelope is 2e-16 there."""

_SNR_RESOLUTION = 0.25
"""Largest spacing (Hz) of the frequencies summed over in an SNR."""


@dataclass(frozen=True)
class GlitchConfig:
    """A population of glitches, drawn for each interferometer on its own.

    SNR, frequency and quality are log-uniform over their ranges, times and
    phases uniform.

    Attributes:
        rate_per_hour: mean number of glitches in an hour of one
            interferometer's data.
        snr: lowest and highest optimal SNR.
        frequency: lowest and highest central frequency, Hz.
        quality: lowest and highest quality factor Q.

    Raises:
        UserError: if the rate is negative, a range is not positive and
            increasing, or a glitch could last longer than a block of data.
    """

    rate_per_hour: float
    snr: tuple[float, float] = (5.0, 50.0)
    frequency: tuple[float, float] = (40.0, 400.0)
    quality: tuple[float, float] = (4.0, 20.0)

    def __post_init__(self) -> None:
        if not (_is_number(self.rate_per_hour) and self.rate_per_hour >= 0):
            raise UserError(
                f"glitches: rate_per_hour = {self.rate_per_hour!r} is not "
                f"zero or positive"
            )
        for field in fields(self)[1:]:
            limits = getattr(self, field.name)
            if not _is_range(limits):
                shown = list(limits) if isinstance(limits, tuple) else limits
                raise UserError(
                    f"glitches: {field.name} = {shown!r} is not a lowest "
                    f"and a highest positive number"
                )
        longest = _EXTENT * _decay_time(self.frequency[0], self.quality[1])
        if longest > BLOCK_DURATION:
            raise UserError(
                f"glitches: quality = {self.quality[1]:g} at frequency = "
                f"{self.frequency[0]:g} Hz lasts {longest:.3g} s to each "
                f"side, at most {BLOCK_DURATION} s are accepted"
            )

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> "GlitchConfig":
        """Make a population of what a configuration gives.

        Args:
            settings: attributes by name.

        Raises:
            UserError: for an unknown name, without a rate, or for values
                that are not accepted.
        """
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                raise UserError(
                    f"glitches: {name!r} is unknown, accepted are "
                    f"{', '.join(known)}"
                )
        if "rate_per_hour" not in settings:
            raise UserError(
                f"glitches: {dict(settings)!r} does not give rate_per_hour"
            )
        return cls(**settings)


@dataclass(frozen=True)
class Glitch:
    """One sine-Gaussian.

    Attributes:
        time: of its centre, s after the start of the block in which it was
            drawn.
        snr: optimal SNR.
        frequency: central frequency, Hz.
        quality: quality factor Q.
        phase: at the centre, rad.
    """

    time: float
    snr: float
    frequency: float
    quality: float
    phase: float


def draw(
    config: GlitchConfig, *, seed: int, ifo: str, block: int
) -> list[Glitch]:
    """Draw the glitches of one block.

    Args:
        config: the population.
        seed: the global seed.
        ifo: the interferometer.
        block: number of the block, counted from GPS 0.

    Returns:
        The glitches whose centres lie in the block.
    """
    random = grid.generator(seed, ifo, "glitches", block)
    count = random.poisson(config.rate_per_hour * BLOCK_DURATION / 3600)

    def log_uniform(limits: tuple[float, float]) -> float:
        low, high = limits
        return low * (high / low) ** random.random()

    return [
        Glitch(
            time=BLOCK_DURATION * random.random(),
            snr=log_uniform(config.snr),
            frequency=log_uniform(config.frequency),
            quality=log_uniform(config.quality),
            phase=2 * math.pi * random.random(),
        )
        for _ in range(count)
    ]


def add(
    data: np.ndarray,
    config: GlitchConfig,
    psd: Psd,
    *,
    ifo: str,
    start: float,
    sample_rate: float,
    seed: int,
    minimum_frequency: float,
) -> None:
    """Add glitches to the strain of one interferometer, in place.

    Glitches belong to blocks fixed in GPS time and are computed whole, so
    that one that crosses an edge of ``data`` continues in the neighbouring
    stretch bit for bit.

    Args:
        data: strain, shape ``(time,)``; changed in place.
        config: the population.
        psd: power spectral density that defines their SNR.
        ifo: the interferometer.
        start: GPS time of the first sample, s, on the sample grid.
        sample_rate: Hz, a whole number.
        seed: the global seed.
        minimum_frequency: lowest frequency that counts in the SNR, Hz.

    Raises:
        UserError: if the highest central frequency is not below the Nyquist
            frequency, or the lowest is below ``minimum_frequency``.
    """
    low, high = config.frequency
    if high >= sample_rate / 2 or low < minimum_frequency:
        raise UserError(
            f"glitches: frequency = [{low:g}, {high:g}] Hz is not within "
            f"[{minimum_frequency:g}, {sample_rate / 2:g}) Hz, the band of "
            f"data at sample_rate = {sample_rate:g} Hz"
        )
    first, size = grid.span(start, len(data) / sample_rate, sample_rate)
    block_size = BLOCK_DURATION * int(sample_rate)
    begin = first // block_size - 1
    end = (first + size - 1) // block_size + 2
    for block in range(begin, end):
        for glitch in draw(config, seed=seed, ifo=ifo, block=block):
            offset, signal = waveform(
                glitch, psd, sample_rate, minimum_frequency
            )
            offset += block * block_size - first
            left, right = max(offset, 0), min(offset + len(signal), size)
            if left < right:
                data[left:right] += signal[left - offset : right - offset]


def waveform(
    glitch: Glitch,
    psd: Psd,
    sample_rate: float,
    minimum_frequency: float,
) -> tuple[int, np.ndarray]:
    """Sample a sine-Gaussian with the SNR that it is to have.

    h(t) = A exp(-t^2/tau^2) cos(2 pi f t + phase) with
    tau = Q / (sqrt(2) pi f) (Chatterji et al. 2004,
    doi:10.1088/0264-9381/21/20/024), A such that :func:`optimal_snr` is
    ``glitch.snr``.

    Args:
        glitch: its parameters.
        psd: power spectral density that defines the SNR.
        sample_rate: Hz.
        minimum_frequency: lowest frequency that counts in the SNR, Hz.

    Returns:
        Number of its first sample, counted from the start of its block, and
        its strain, shape ``(time,)``.
    """
    tau = _decay_time(glitch.frequency, glitch.quality)
    first = math.ceil((glitch.time - _EXTENT * tau) * sample_rate)
    last = math.floor((glitch.time + _EXTENT * tau) * sample_rate)
    t = np.arange(first, last + 1) / sample_rate - glitch.time
    phase = 2 * np.pi * glitch.frequency * t + glitch.phase
    shape = np.exp(-((t / tau) ** 2)) * np.cos(phase)
    scale = optimal_snr(shape, psd, sample_rate, minimum_frequency)
    return first, shape * (glitch.snr / scale)


def optimal_snr(
    signal: np.ndarray,
    psd: Psd,
    sample_rate: float,
    minimum_frequency: float,
) -> float:
    """Optimal SNR of a signal: ``rho^2 = 4 sum |h(f)|^2 / S(f) df``.

    Args:
        signal: strain, shape ``(time,)``.
        psd: one-sided power spectral density, 1/Hz.
        sample_rate: Hz.
        minimum_frequency: lower limit of the sum, Hz; the upper one is the
            Nyquist frequency.

    Returns:
        The SNR, dimensionless.
    """
    size = fft.next_fast_len(
        max(len(signal), math.ceil(sample_rate / _SNR_RESOLUTION)), real=True
    )
    frequencies = fft.rfftfreq(size, 1 / sample_rate)
    band = frequencies >= minimum_frequency
    spectrum = fft.rfft(signal, n=size)[band] / sample_rate
    power = np.abs(spectrum) ** 2 / psd(frequencies[band])
    return math.sqrt(4 * power.sum() * sample_rate / size)


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _is_range(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(map(_is_number, value))
        and 0 < value[0] <= value[1]
    )


def _decay_time(frequency: float, quality: float) -> float:
    return quality / (math.sqrt(2) * math.pi * frequency)
