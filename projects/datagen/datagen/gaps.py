"""Samples that are missing from strain (NaN or infinite)."""

import numpy as np
from conventions.errors import UserError
from conventions.segments import show

_SHOWN = 3


def find(
    data: np.ndarray, start: float, sample_rate: float
) -> list[tuple[float, float]]:
    """Find the spans of time in which samples are not finite.

    Args:
        data: strain, shape ``(time,)``.
        start: GPS time of the first sample, s.
        sample_rate: Hz.

    Returns:
        Spans ``(start, stop)``, GPS s, half open, in order of time.
    """
    bad = ~np.isfinite(data)
    if not bad.any():
        return []
    edges = np.flatnonzero(np.diff(np.r_[False, bad, False]))
    times = start + edges / sample_rate
    return [(float(a), float(b)) for a, b in times.reshape(-1, 2)]


def error(
    ifo: str, spans: list[tuple[float, float]], origin: str
) -> UserError:
    """Make the error that reports missing samples.

    Args:
        ifo: the interferometer.
        spans: as :func:`find` returns them, at least one.
        origin: where the data come from.

    Returns:
        The error, to be raised.
    """
    shown = ", ".join(show(span) for span in spans[:_SHOWN])
    more = f" and {len(spans) - _SHOWN} more" if len(spans) > _SHOWN else ""
    return UserError(
        f"{origin}: {ifo} has NaN or infinite samples at GPS {shown}{more}; "
        f"exclude these times from the segments"
    )
