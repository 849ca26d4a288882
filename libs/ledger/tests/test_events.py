import tracemalloc

import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st

from ledger import events as events_module
from ledger import ordering
from ledger.events import (
    SECONDS_IN_YEAR,
    EventSet,
    RecoveredInjectionSet,
)
from ledger.testing import event_sets

thresholds = st.integers(-25, 25).map(lambda value: value / 2)


@pytest.fixture
def events():
    """Four events, two of them tied, in two years."""
    return EventSet(
        detection_statistic=[2.0, 5.0, 3.0, 3.0],
        detection_time=[10.0, 20.0, 30.0, 40.0],
        shift=[[0.0, 1.0]] * 4,
        Tb=2 * SECONDS_IN_YEAR,
    )


def test_julian_year():
    assert SECONDS_IN_YEAR == 365.25 * 86400


def test_order_of_the_fields_is_the_public_one():
    events = EventSet([1.0], [2.0], [[0.0, 3.0]], 4.0)
    assert events.detection_statistic == 1
    assert events.detection_time == 2
    assert events.shift.tolist() == [[0, 3]]
    assert events.Tb == 4


def test_nan_statistics_are_counted():
    with pytest.raises(UserError, match="2 of 3 detection statistics"):
        EventSet(
            detection_statistic=[np.nan, 1, np.nan],
            detection_time=[1, 2, 3],
            shift=np.zeros((3, 2)),
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinite_statistics_are_counted(dtype):
    with pytest.raises(UserError, match=r"3 of 4 detection .* are \+inf"):
        EventSet(
            detection_statistic=np.array([1, np.inf, np.inf, np.inf], dtype),
            detection_time=np.arange(4),
            shift=np.zeros((4, 2)),
            Tb=SECONDS_IN_YEAR,
        )


@pytest.mark.parametrize("Tb", [-1.0, np.nan, np.inf, -np.inf, "long", None])
def test_livetimes_that_are_none(Tb):
    for cls in (EventSet, RecoveredInjectionSet):
        with pytest.raises(UserError, match=f"{cls.__name__}: Tb is .*; a"):
            cls(Tb=Tb)


def test_nb_counts_ties(events):
    assert events.nb(3.0) == 3
    assert isinstance(events.nb(3.0), int)
    counts = events.nb(np.array([[9, 5, 4], [3, 2, -np.inf]]))
    assert counts.tolist() == [[0, 1, 1], [3, 4, 4]]


@given(event_sets(), st.lists(thresholds, max_size=8))
def test_nb_equals_brute_force(events, values):
    values = np.array(values)
    statistic = events.detection_statistic
    expected = (statistic[:, None] >= values).sum(0)
    np.testing.assert_array_equal(events.nb(values), expected)


def test_nan_threshold(events):
    with pytest.raises(UserError, match="1 of 2 thresholds are NaN"):
        events.far([1.0, np.nan])


def test_sorting_is_remembered_and_renewed(events):
    assert events.nb(4.0) == 1
    assert events._sorted_statistic() is events._sorted_statistic()
    events.append(
        EventSet(detection_statistic=[9.0], detection_time=[0], shift=[[0, 0]])
    )
    assert events.nb(4.0) == 2
    events.detection_statistic = events.detection_statistic + 1
    assert events.nb(4.0) == 4


@given(event_sets(max_size=40), st.lists(thresholds), st.integers(1, 9))
def test_counting_in_pieces_equals_counting_at_once(events, values, piece):
    expected = EventSet.nb(events[:], np.array(values))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "PIECE", piece)
        patch.setattr(events_module, "PIECE", piece)
        for _ in range(3):
            np.testing.assert_array_equal(
                events.nb(np.array(values)), expected
            )
        assert [events[:].nb(value) for value in values] == expected.tolist()


def test_first_question_needs_no_copy_and_the_second_is_remembered(
    rng, monkeypatch
):
    monkeypatch.setattr(ordering, "PIECE", 2**13)
    monkeypatch.setattr(events_module, "PIECE", 2**13)
    count = 2**18
    events = EventSet(rng.normal(size=count), np.zeros(count), np.zeros(count))
    values = rng.normal(size=100)

    def peak():
        tracemalloc.start()
        events.nb(values)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    size = events.detection_statistic.nbytes
    assert peak() < size / 4
    assert events._sorted is None
    assert peak() > size
    kept = events._sorted_statistic()
    assert peak() < size / 4
    assert events._sorted_statistic() is kept
    events.detection_statistic = events.detection_statistic + 1
    assert events.nb(np.inf) == 0
    assert events.nb(values[0]) == (
        np.count_nonzero(events.detection_statistic >= values[0])
    )


def test_sorted_statistics_are_not_copied(make_events):
    events = make_events(10).sort_by("detection_statistic")
    assert events._sorted_statistic() is events.detection_statistic


def test_far_in_per_year_floored(events):
    assert events.min_far == 0.5
    assert events.far(2.0) == 2.0
    assert events.far(100.0) == 0.5
    assert events.far([5.0, 3.0, 2.0]).tolist() == [0.5, 1.5, 2.0]
    assert EventSet(Tb=SECONDS_IN_YEAR).far(3.0) == 1.0


@pytest.mark.parametrize(
    "use",
    [
        lambda events: events.far(1.0),
        lambda events: events.min_far,
        lambda events: events.threshold_at_far(1.0),
        lambda events: events.significance(1.0, 1.0),
    ],
)
def test_rates_need_a_livetime(use):
    with pytest.raises(UserError, match=r"livetime Tb of 0\.0 s"):
        use(EventSet())


def test_significance(events):
    T = 0.1 * SECONDS_IN_YEAR
    assert events.significance(3.0, T) == pytest.approx(1 - np.exp(-0.2))
    rare = events.significance([99.0], 1e-9)
    assert rare[0] == pytest.approx(1e-9 / events.Tb, rel=1e-12)


def test_threshold_at_far(events):
    # 3 allowed in 2 years: just above the fourth loudest, which is at 2.
    assert events.threshold_at_far(1.5) == np.nextafter(2.0, 3.0)
    # The events at 3 are tied, so that 2 allowed means 1.
    assert events.threshold_at_far(1.0) == np.nextafter(3.0, 4.0)
    assert events.threshold_at_far(0.5) == np.nextafter(3.0, 4.0)
    assert events.threshold_at_far(2.0) == -np.inf
    assert events.threshold_at_far(1e9) == -np.inf
    several = events.threshold_at_far([1.5, 2.0])
    assert several.tolist() == [np.nextafter(2.0, 3.0), -np.inf]


@pytest.mark.parametrize("far", [0.4999, 0.0, -1.0, np.nan])
def test_unresolved_far_is_an_error(events, far):
    with pytest.raises(UserError, match=r"0\.5 per year, the smallest"):
        events.threshold_at_far(far)


@given(event_sets(), st.integers(1, 30), st.sampled_from([1, 1.5]))
def test_far_and_threshold_are_inverse(events, count, factor):
    far = events.min_far * count * factor
    threshold = events.threshold_at_far(far)
    assert events.far(threshold) <= far
    below = np.nextafter(threshold, -np.inf)
    assert events.far(below) > far or threshold == -np.inf


@given(event_sets())
def test_threshold_of_each_attained_far(events):
    """The rate of N events allows N events, whatever the rounding."""
    for count in range(1, len(events) + 1):
        far = SECONDS_IN_YEAR * count / events.Tb
        threshold = events.threshold_at_far(far)
        loudest = np.sort(events.detection_statistic)[::-1]
        expected = np.searchsorted(-loudest, -threshold, side="right")
        assert events.nb(threshold) == expected <= count
        if count == len(events) or loudest[count] < loudest[count - 1]:
            assert events.nb(threshold) == count


def test_threshold_above_missed_injections():
    events = EventSet(
        detection_statistic=[-np.inf, -np.inf, 3.0],
        detection_time=[np.nan, np.nan, 1.0],
        shift=np.zeros((3, 2)),
        Tb=SECONDS_IN_YEAR,
    )
    threshold = events.threshold_at_far(2.0)
    assert threshold > -np.inf
    assert events.nb(threshold) == 1


def test_threshold_of_float32_statistics():
    events = EventSet(
        detection_statistic=np.array([1, 2, 3], np.float32),
        detection_time=np.arange(3),
        shift=np.zeros((3, 2)),
        Tb=SECONDS_IN_YEAR,
    )
    threshold = events.threshold_at_far(1.0)
    assert events.nb(threshold) == 1
    assert events.nb(np.nextafter(threshold, 0)) == 2


extreme = st.floats(allow_nan=False) | st.floats(width=32, allow_nan=False)


@given(
    st.lists(st.floats(width=32, allow_nan=False), max_size=8),
    st.lists(extreme, max_size=8),
    st.sampled_from([np.float16, np.float32, np.float64]),
)
def test_statistics_of_any_precision_are_compared_exactly(
    values, thresholds, dtype
):
    with np.errstate(over="ignore"):
        values = np.array(values, np.float32).astype(dtype)
    values = values[values < np.inf]
    events = EventSet(
        detection_statistic=values,
        detection_time=np.zeros(len(values)),
        shift=np.zeros((len(values), 2)),
    )
    wide = [float(value) for value in values]
    thresholds = np.array([*thresholds, *wide])
    expected = [sum(v >= t for v in wide) for t in thresholds]
    assert events.nb(thresholds).tolist() == expected
    assert [events.nb(t) for t in thresholds] == expected


def test_statistics_that_are_whole_numbers():
    events = EventSet([1, 2, 3], [0, 0, 0], np.zeros((3, 2)))
    assert events.nb([0.5, 2, 2.5, 9]).tolist() == [3, 2, 1, 0]
    assert events.nb(2) == 2


def test_get_shift_and_its_rounding(make_events):
    events = make_events(30)
    events.shift = events.shift * 0.1
    chosen = events.get_shift([0, 0.3])
    assert 0 < len(chosen) < 30
    assert np.allclose(chosen.shift[:, 1], 0.3)
    assert 3 * 0.1 != 0.3
    assert len(EventSet().get_shift([0, 1])) == 0
    with pytest.raises(UserError, match="for 3 and for 2 interf"):
        events.get_shift([0, 1, 2])


@given(event_sets(max_size=30), st.integers(0, 30))
def test_statistics_do_not_depend_on_the_order(events, seed):
    order = np.random.default_rng(seed).permutation(len(events))
    shuffled = events[order]
    values = np.arange(-12, 12, 0.5)
    np.testing.assert_array_equal(events.nb(values), shuffled.nb(values))
