"""The event nearest to an injection, among those of the same shift."""

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
    usable = np.flatnonzero(event_group >= 0)
    keys = (event_statistic, event_time, event_group)
    order = usable[np.lexsort([key[usable] for key in keys])]
    event_edges = np.searchsorted(
        event_group[order], np.arange(group.max(initial=-1) + 2)
    )
    rows = np.argsort(group, kind="stable")
    row_edges = np.searchsorted(group[rows], np.arange(len(event_edges)))
    for number in range(len(event_edges) - 1):
        events = order[event_edges[number] : event_edges[number + 1]]
        chosen = rows[row_edges[number] : row_edges[number + 1]]
        if len(events) and len(chosen):
            best, distance = _nearest(
                event_time[events], event_statistic[events], time[chosen]
            )
            result[chosen] = np.where(distance <= window, events[best], -1)
    return result


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
