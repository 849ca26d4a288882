"""When injections happen, and the seed of what is injected."""

import hashlib
import math

import numpy as np
from conventions.errors import UserError


def stable_seed(seed: int, *context: object) -> int:
    """Combine a global seed with what it is used for.

    The result is the same on every machine and does not depend on what
    else is drawn, or in which order.

    Args:
        seed: the global seed.
        context: numbers and strings that tell this use from others.

    Returns:
        An integer from 0 to 2^128 - 1.
    """
    text = repr((int(seed), *context)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:16], "big")


def injection_times(
    start: float,
    stop: float,
    *,
    spacing: float,
    buffer: float,
    duration: float,
    jitter: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Coalescence times of the injections of one segment.

    From start + buffer + duration/2 to stop - buffer - duration/2, both
    included, in steps of spacing + duration, each moved by up to jitter.

    Args:
        start: GPS start of the stretch that is analysed in s.
        stop: its GPS end in s.
        spacing: between the end of a waveform and the start of the next, s.
        buffer: without injections at both ends, s.
        duration: length of a waveform in s.
        jitter: largest displacement in s.
        rng: source of the displacements.

    Returns:
        GPS times in ascending order, none where the stretch is too short.

    Raises:
        UserError: if the stretch ends before it starts, a length is
            negative, or the jitter could make waveforms overlap or leave
            the stretch.
    """
    if not stop > start:
        raise UserError(
            f"injections from {start} to {stop}: the stop must be later"
        )
    lengths = {"spacing": spacing, "buffer": buffer, "jitter": jitter}
    for name, value in lengths.items():
        if not value >= 0:
            raise UserError(f"{name} is {value} s; it must not be negative")
    allowed = min(spacing / 2, buffer)
    if jitter > allowed:
        raise UserError(
            f"jitter is {jitter} s, but at most {allowed} s keep injections "
            f"apart and in their segment (half the spacing of {spacing} s, "
            f"and the buffer of {buffer} s)"
        )
    room = stop - start - 2 * buffer - duration
    if room < 0:
        return np.zeros(0)
    step = spacing + duration
    count = math.floor(room / step) + 1
    times = start + buffer + duration / 2 + step * np.arange(count)
    return times + rng.uniform(-jitter, jitter, count)
