"""Hypothesis strategies that make ledgers, for tests of ledgers' users."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ledger.events import EventSet
from ledger.injections import (
    InterferometerResponseSet,
    waveform_class_factory,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def event_sets(
    max_size: int = 20,
    num_ifos: int = 2,
    num_shifts: int = 3,
    duration: float = 100.0,
) -> "SearchStrategy[EventSet]":
    """Make event sets, empty ones and ones with ties included.

    Args:
        max_size: largest number of events.
        num_ifos: number of ifos.
        num_shifts: number of different shifts; ifo j is shifted by a
            multiple of j seconds.
        duration: times lie in [0, ``duration``], in seconds.

    Returns:
        A strategy. Statistics are multiples of 1/2 and times of 1/8 s, so
        that equal ones are common.
    """
    from hypothesis import strategies as st

    row = st.tuples(
        st.integers(-20, 20).map(lambda value: value / 2),
        st.integers(0, int(8 * duration)).map(lambda value: value / 8),
        st.integers(1, num_shifts),
    )
    livetime = st.floats(1.0, 1e9)

    def build(rows: list[tuple[float, float, int]], Tb: float) -> EventSet:
        columns = np.array(rows, dtype=float).reshape(-1, 3)
        return EventSet(
            detection_statistic=columns[:, 0],
            detection_time=columns[:, 1],
            shift=columns[:, 2:] * np.arange(num_ifos),
            Tb=Tb,
        )

    return st.builds(build, st.lists(row, max_size=max_size), livetime)


def response_sets(
    ifos: tuple[str, ...] = ("H1", "L1"),
    max_size: int = 10,
    num_shifts: int = 3,
    duration: float = 100.0,
    sample_rate: float = 16.0,
    waveform_duration: float = 4.0,
    right_pad: float | None = None,
) -> "SearchStrategy[InterferometerResponseSet]":
    """Make injections with small whole-numbered waveforms.

    Sums of such waveforms are exact in any order.

    Args:
        ifos: names of the ifos.
        max_size: largest number of injections.
        num_shifts: number of different shifts; ifo j is shifted by a
            multiple of j seconds.
        duration: times lie in [0, ``duration``], in seconds.
        sample_rate: Hz.
        waveform_duration: seconds.
        right_pad: seconds; drawn from [0, ``waveform_duration``] if None.

    Returns:
        A strategy of instances of one class, made by
        ``waveform_class_factory(ifos, InterferometerResponseSet, ...)``.
    """
    from hypothesis import strategies as st

    cls = waveform_class_factory(
        list(ifos), InterferometerResponseSet, "Responses"
    )
    size = round(sample_rate * waveform_duration)

    def build(
        rows: list[tuple[float, int]], seed: int, padding: float
    ) -> InterferometerResponseSet:
        rng = np.random.default_rng(seed)
        count = len(rows)
        times, shifts = np.array(rows, dtype=float).reshape(-1, 2).T
        columns: dict[str, Any] = {
            name: rng.uniform(0.1, 1, count)
            if kind == "parameter"
            else rng.integers(-9, 10, (count, size)).astype(np.float32)
            for name, kind in cls.columns().items()
        }
        columns["injection_time"] = times
        columns["shift"] = shifts[:, None] * np.arange(len(ifos))
        columns["ifo_snrs"] = rng.uniform(1, 9, (count, len(ifos)))
        return cls(
            **columns,
            sample_rate=sample_rate,
            duration=waveform_duration,
            right_pad=padding,
            num_injections=count + seed % 5,
            ifos=list(ifos),
        )

    row = st.tuples(st.floats(0, duration), st.integers(1, num_shifts))
    return st.builds(
        build,
        st.lists(row, max_size=max_size),
        st.integers(0, 2**32 - 1),
        st.integers(0, size).map(lambda samples: samples / sample_rate)
        if right_pad is None
        else st.just(right_pad),
    )


def interval_lists(
    max_size: int = 10, duration: float = 100.0
) -> "SearchStrategy[list[tuple[float, float]]]":
    """Make lists of intervals that may overlap, touch or be empty.

    Args:
        max_size: largest number of intervals.
        duration: bounds lie in [0, ``duration``], multiples of 1/8 s.

    Returns:
        A strategy of lists of (start, stop) in seconds.
    """
    from hypothesis import strategies as st

    bound = st.integers(0, int(8 * duration)).map(lambda value: value / 8)
    interval = st.tuples(bound, bound).map(sorted).map(tuple)
    return st.lists(interval, max_size=max_size)
