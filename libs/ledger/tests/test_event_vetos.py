"""Vetoes of events; those of times alone are in test_vetos.py."""

import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st

from ledger.events import EventSet
from ledger.testing import event_sets, interval_lists


def test_veto_on_the_ifos_own_time():
    events = EventSet(
        detection_statistic=np.arange(4.0),
        detection_time=[9.0, 10.0, 10.0, 12.0],
        shift=[[0, 1], [0, 1], [0, 2], [0, 0]],
        Tb=7.0,
    )
    kept, mask = events.apply_vetos([(10, 12)], 1, return_mask=True)
    assert mask.tolist() == [True, True, False, False]
    assert kept.detection_statistic.tolist() == [2, 3]
    assert kept.Tb == 7.0
    assert events.apply_vetos([(10, 12)], 0).detection_time[0] == 9
    assert len(events) == 4


def test_veto_of_the_shifts_of_one_ifo():
    flat, wide = (
        EventSet([1.0, 2.0, 3.0], [0.0, 5.0, 9.0], shift, Tb=3.0)
        for shift in (np.ones(3), np.ones((3, 1)))
    )
    for vetos in ([(6, 7)], [], [(0, 20)]):
        kept, mask = flat.apply_vetos(vetos, 0, return_mask=True)
        other, expected = wide.apply_vetos(vetos, 0, return_mask=True)
        assert mask.tolist() == expected.tolist()
        assert kept.get_shift(1.0).shift.shape == kept.shift.shape
        assert len(other.get_shift(1.0)) == len(kept)
    with pytest.raises(UserError, match=r"no ifo 1 in shifts of shape \(3,"):
        flat.apply_vetos([(0, 1)], 1)


def test_veto_in_place(make_events):
    events = make_events(20)
    expected = events.apply_vetos([(0, 500)], 1)
    assert events.nb(-np.inf) == 20
    result, mask = events.apply_vetos(
        [(0, 500)], 1, inplace=True, return_mask=True
    )
    assert result is events
    assert events == expected
    assert len(events) == events.nb(-np.inf) == (~mask).sum()


@given(event_sets(), interval_lists(), st.integers(0, 1), st.integers(1, 9))
def test_vetos_equal_brute_force(events, vetos, idx, chunk_size):
    kept, mask = events.apply_vetos(
        vetos, idx, chunk_size=chunk_size, return_mask=True
    )
    times = events.detection_time + events.shift[:, idx]
    expected = [any(a <= t < b for a, b in vetos) for t in times]
    assert mask.tolist() == expected
    assert kept == events[~np.array(expected, dtype=bool)]


@given(event_sets(), event_sets(), interval_lists(), interval_lists())
def test_vetos_commute(one, two, first, second):
    joined = EventSet.concatenate([one, two])
    apart = [each.apply_vetos(first, 1) for each in (one, two)]
    assert joined.apply_vetos(first, 1) == EventSet.concatenate(apart)
    both = one.apply_vetos(first + second, 1)
    assert both == one.apply_vetos(first, 1).apply_vetos(second, 1)
    assert both == one.apply_vetos(second, 1).apply_vetos(first, 1)
    assert one.apply_vetos(first, 1).sort_by("detection_time") == (
        one.sort_by("detection_time").apply_vetos(first, 1)
    )


@given(event_sets(), interval_lists())
def test_vetoed_and_kept_add_up(events, vetos):
    kept, mask = events.apply_vetos(vetos, 1, return_mask=True)
    values = np.arange(-12, 12, 0.5)
    np.testing.assert_array_equal(
        kept.nb(values) + events[mask].nb(values), events.nb(values)
    )


def test_veto_of_an_ifo_that_is_not_there(make_events):
    with pytest.raises(UserError, match=r"no ifo 2 in shifts of shape"):
        make_events(3).apply_vetos([(0, 1)], 2)
    assert len(EventSet().apply_vetos([(0, 1)], 1)) == 0


def test_reversed_veto(make_events):
    with pytest.raises(UserError, match=r"interval 1 is \(3.0, 2.0\)"):
        make_events(3).apply_vetos([(0, 1), (3, 2)], 0)
