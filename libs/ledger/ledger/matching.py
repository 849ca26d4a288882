"""The event nearest to an injection, among those of the same shift."""

from itertools import pairwise

import numpy as np


def nearest_events(
    event_time: np.ndarray,
    event_statistic: np.ndarray,
    event_group: np.ndarray,
    time: np.ndarray,
    group: np.ndarray,
    window: float,
) -> np.ndarray:
    """Find for each time the nearest event of its group, by sorted search.

    Args:
        event_time: seconds, shape (event,).
        event_statistic: shape (event,); of equally near events the loudest
            is taken.
        event_group: whole numbers, shape (event,); negative ones are in no
            group.
        time: seconds, shape (row,).
        group: whole numbers from 0 on, shape (row,).
        window: the largest distance in seconds, inclusive.

    Returns:
        The index of the event of each row, -1 where there is none, shape
        (row,).
    """
    result = np.full(len(time), -1, dtype=np.int64)
    count = group.max(initial=-1) + 1
    events_of = _members(event_group, count)
    rows_of = _members(group, count)
    for events, rows in zip(events_of, rows_of, strict=True):
        if len(events) and len(rows):
            events = _by_time(events, event_time, event_statistic)
            best, distance = _nearest(
                event_time[events], event_statistic[events], time[rows]
            )
            result[rows] = np.where(distance <= window, events[best], -1)
    return result


def _members(group: np.ndarray, count: int) -> list[np.ndarray]:
    """Give the indices of each group's members; negative ones have none."""
    small = np.min_scalar_type(-max(count, 1))
    order = np.argsort(group.astype(small), kind="stable")
    edges = np.searchsorted(group, np.arange(count + 1), sorter=order)
    return [order[i:j] for i, j in pairwise(edges)]


def _by_time(
    events: np.ndarray, event_time: np.ndarray, event_statistic: np.ndarray
) -> np.ndarray:
    """Sort indices of events by time and, within a time, by statistic."""
    times = event_time[events]
    order = np.argsort(times)
    times = times[order]
    if np.any(times[1:] == times[:-1]):
        # Two keys take several times longer, and equal times are rare.
        keys = (event_statistic[events], event_time[events])
        order = np.lexsort(keys)
    return events[order]


def _nearest(
    event_time: np.ndarray, event_statistic: np.ndarray, time: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Search events sorted by time and, within a time, by statistic.

    Returns:
        The nearest event of each time, and its distance in seconds.
    """
    after = np.searchsorted(event_time, time, side="right")
    last = len(event_time) - 1
    left = np.maximum(after - 1, 0)
    right_time = event_time[np.minimum(after, last)]
    right = np.searchsorted(event_time, right_time, side="right") - 1
    left_distance = np.abs(time - event_time[left])
    right_distance = np.abs(event_time[right] - time)
    closer = right_distance < left_distance
    closer |= (right_distance == left_distance) & (
        event_statistic[right] > event_statistic[left]
    )
    best = np.where(closer, right, left)
    return best, np.where(closer, right_distance, left_distance)
