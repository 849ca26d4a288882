"""Times that are excluded from a search."""

from collections.abc import Sequence

import numpy as np
from conventions.errors import UserError

# Times that are sorted together: few enough to stay in the cache.
_BLOCK = 2**16


def merge_intervals(
    intervals: np.ndarray | Sequence[tuple[float, float]],
) -> np.ndarray:
    """Join intervals that overlap or touch.

    Args:
        intervals: GPS start and stop in seconds, shape (interval, 2), in
            any order.

    Returns:
        Sorted disjoint intervals, shape (merged interval, 2).

    Raises:
        UserError: if the shape is another one, or an interval ends before
            it starts, or a bound is NaN.
    """
    intervals = np.asarray(intervals, dtype=float)
    if not intervals.size:
        return np.empty((0, 2))
    if intervals.ndim != 2 or intervals.shape[1] != 2:
        raise UserError(
            "intervals are rows of (start, stop), not an array of shape "
            f"{intervals.shape}"
        )
    wrong = ~(intervals[:, 0] <= intervals[:, 1])
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise UserError(
            f"interval {row} is {tuple(map(float, intervals[row]))}; "
            "start <= stop is needed"
        )
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(intervals[:, 1])
    first = np.ones(len(intervals), dtype=bool)
    first[1:] = intervals[1:, 0] > reach[:-1]
    last = np.append(np.flatnonzero(first)[1:] - 1, len(intervals) - 1)
    return np.column_stack([intervals[first, 0], reach[last]])


def inside(times: np.ndarray, merged: np.ndarray) -> np.ndarray:
    """Find the times that lie in an interval.

    Args:
        times: GPS seconds, shape (time,).
        merged: sorted disjoint intervals of :func:`merge_intervals`; the
            start belongs to an interval, the stop does not.

    Returns:
        A mask of shape (time,); NaN lies nowhere.
    """
    edges = merged.ravel()
    mask = np.empty(len(times), dtype=bool)
    # Sorted times walk through the edges in order, which is several times
    # faster than to search for them one by one.
    for start in range(0, len(times), _BLOCK):
        block = times[start : start + _BLOCK]
        order = np.argsort(block)
        passed = np.searchsorted(edges, block[order], side="right")
        mask[start : start + _BLOCK][order] = passed % 2
    return mask
