"""Operations on events."""

from pathlib import Path

import numpy as np
from case import MADE, Case, drawn, make_rows, scaled, short
from ledger.events import EventSet, RecoveredInjectionSet
from ledger.injections import InterferometerResponseSet


def make_events(count: int, shifts: int, duration: float) -> EventSet:
    """Make events of two ifos in random order."""
    rng = np.random.default_rng(1)
    return EventSet(
        detection_statistic=drawn(count, rng.standard_normal),
        detection_time=drawn(count, lambda n: rng.uniform(0, duration, n)),
        shift=drawn(count, lambda n: rng.integers(1, shifts + 1, n), 2),
        Tb=shifts * duration,
    )


def _far(scale: float, ordered: bool, remembered: bool) -> Case:
    """FAR of many thresholds: counts among all events."""
    count, thresholds = scaled(1e8, scale), scaled(1e6, scale)
    events = make_events(count, 500, 2e5)
    if ordered:
        events.detection_statistic.sort()
    wanted = np.random.default_rng(3).standard_normal(thresholds)
    if remembered:
        events.far(0.0)

    def baseline() -> None:
        for threshold in wanted[:10]:
            np.count_nonzero(events.detection_statistic >= threshold)

    return Case(
        f"{short(thresholds)} thresholds, {short(count)} events",
        lambda: events.far(wanted),
        baseline,
        thresholds / len(wanted[:10]),
    )


def far_sorted(scale: float, folder: Path) -> Case:
    """Events in the order in which a search leaves them."""
    return _far(scale, ordered=True, remembered=False)


def far_unsorted(scale: float, folder: Path) -> Case:
    """The first question."""
    return _far(scale, ordered=False, remembered=False)


def far_again(scale: float, folder: Path) -> Case:
    """The second question, which keeps a sorted copy."""
    return _far(scale, ordered=False, remembered=True)


def vetoes(scale: float, folder: Path) -> Case:
    """Events in random order against overlapping intervals."""
    count, intervals = scaled(1e7, scale), scaled(1e5, scale)
    span = 3e7
    events = make_events(count, 500, span)
    rng = np.random.default_rng(4)
    start = rng.uniform(0, span, intervals)
    length = rng.uniform(0, span / intervals / 2, intervals)
    vetos = np.column_stack([start, start + length])
    some, few = events.detection_time[:10_000], vetos[:1000]

    def baseline() -> None:
        times = some[:, None]
        np.any((few[:, 0] <= times) & (times < few[:, 1]), axis=1)

    return Case(
        f"{short(count)} events, {short(intervals)} intervals",
        lambda: events.apply_vetos(vetos, 1),
        baseline,
        count / len(some) * intervals / len(few),
    )


def recovery(scale: float, folder: Path) -> Case:
    """The nearest event of each injection in its shift."""
    count, number = scaled(1e7, scale), scaled(1e6, scale)
    shifts = scaled(500, scale, least=5)
    span = 2e5
    events = make_events(count, shifts, span)
    columns = make_rows(InterferometerResponseSet, number)
    rng = np.random.default_rng(5)
    columns["injection_time"] = rng.uniform(0, span, number)
    columns["shift"] = drawn(
        number, lambda n: rng.integers(1, shifts + 1, n), 2
    )
    injections = InterferometerResponseSet(
        **columns, **MADE, num_injections=number
    )

    def baseline() -> None:
        here = (events.shift == [0, 1]).all(axis=1)
        times = events.detection_time[here]
        mine = (injections.shift == [0, 1]).all(axis=1)
        wanted = injections.injection_time[mine]
        np.abs(wanted[:, None] - times).argmin(axis=1)

    return Case(
        f"{short(number)} injections, {short(count)} events, {shifts} shifts",
        lambda: RecoveredInjectionSet.recover(events, injections),
        baseline,
        shifts,
    )
