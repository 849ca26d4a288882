"""Sample and block numbers counted from GPS time 0."""

import hashlib

import numpy as np
from conventions.errors import UserError

BLOCK_DURATION = 16
"""Seconds of a block: the unit in which random numbers are drawn."""

_TOLERANCE = 0.01
"""Samples by which a time may miss the grid (float64 GPS times do)."""


def span(start: float, duration: float, sample_rate: float) -> tuple[int, int]:
    """Place a span of time on the sample grid.

    Args:
        start: GPS start, s.
        duration: length, s.
        sample_rate: Hz, a whole number.

    Returns:
        Number of the first sample, counted from GPS 0, and number of
        samples.

    Raises:
        UserError: if the sample rate is not a positive whole number, the
            duration is not positive, or start or duration is not a whole
            number of samples.
    """
    if not (sample_rate > 0 and float(sample_rate).is_integer()):
        raise UserError(
            f"sample_rate: {sample_rate!r} is not accepted, simulated data "
            f"need a positive whole number of samples per second"
        )
    if not duration > 0:
        raise UserError(f"duration: {duration!r} s is not positive")
    return (
        _samples("start", start, sample_rate),
        _samples("duration", duration, sample_rate),
    )


def _samples(name: str, seconds: float, sample_rate: float) -> int:
    samples = seconds * sample_rate
    nearest = round(samples)
    if abs(samples - nearest) > _TOLERANCE:
        raise UserError(
            f"{name}: {seconds!r} s is not a whole number of samples at "
            f"sample_rate = {sample_rate:g} Hz"
        )
    return nearest


def generator(
    seed: int, ifo: str, purpose: str, block: int
) -> np.random.Generator:
    """Make the random numbers of one block of one interferometer.

    They depend on the arguments alone: the key of a counter-based generator
    (Philox, Salmon et al. 2011, doi:10.1145/2063384.2063405) is a hash of
    them.

    Args:
        seed: the global seed.
        ifo: the interferometer.
        purpose: what the numbers are for.
        block: number of the block, counted from GPS 0.

    Returns:
        A generator at its first number.
    """
    text = f"{seed}/{ifo}/{purpose}/{block}"
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    key = np.frombuffer(digest, dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key))
