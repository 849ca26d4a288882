"""Which event recovers which injection."""

import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st

from ledger.events import EventSet, RecoveredInjectionSet
from ledger.testing import event_sets, response_sets


def recover(times, statistic, shift, injections, window=1.0):
    events = EventSet(
        detection_statistic=statistic,
        detection_time=times,
        shift=shift,
        Tb=50.0,
    )
    return RecoveredInjectionSet.recover(
        events, injections, recovery_window=window
    )


def test_recover_nearest_in_the_same_shift(make_responses):
    injections = make_responses(
        4,
        injection_time=np.array([100.0, 200.0, 300.0, 100.0]),
        shift=np.array([[0, 1.0], [0, 1], [0, 1], [0, 2]]),
    )
    found = recover(
        times=[100.5, 99.75, 201.5, 301.0, 100.0],
        statistic=[9.0, 1.0, 8.0, 4.0, 7.0],
        shift=[[0, 1.0], [0, 1], [0, 1], [0, 1], [0, 3]],
        injections=injections,
    )
    np.testing.assert_array_equal(
        found.detection_statistic, [1, -np.inf, 4, -np.inf]
    )
    np.testing.assert_array_equal(
        found.detection_time, [99.75, np.nan, 301, np.nan]
    )
    assert found.found.tolist() == [True, False, True, False]
    assert (found.Tb, found.num_injections) == (50.0, 11)
    np.testing.assert_array_equal(found.mass_1, injections.mass_1)
    assert found.ifos == ["H1", "L1"]


def test_recover_takes_the_louder_of_equally_near(make_responses):
    injections = make_responses(2, injection_time=np.array([10.0, 20.0]))
    found = recover(
        times=[9.5, 10.5, 20.25, 20.25, 20.25],
        statistic=[3.0, 5.0, 1.0, 6.0, 2.0],
        shift=[[0, 1.0]] * 5,
        injections=injections,
    )
    assert found.detection_statistic.tolist() == [5, 6]


def test_found_and_missed_are_told_by_the_statistic(make_responses):
    injections = make_responses(2, injection_time=np.array([10.0, 20.0]))
    found = recover(
        times=[10.0, 10.5, 20.0],
        statistic=[-np.inf, 3.0, -np.inf],
        shift=[[0, 1.0]] * 3,
        injections=injections,
    )
    np.testing.assert_array_equal(found.detection_statistic, [3, -np.inf])
    np.testing.assert_array_equal(found.detection_time, [10.5, np.nan])
    assert found.found.tolist() == [True, False]
    assert found.nb(np.finfo(float).min) == found.found.sum()
    found.detection_statistic = np.array([-np.inf, 1.0])
    assert found.found.tolist() == [False, True]


@pytest.mark.parametrize("count", [0, 5])
def test_recover_of_no_events_or_no_injections(count, make_responses):
    injections = make_responses(count)
    found = RecoveredInjectionSet.recover(EventSet(Tb=3.0), injections)
    assert len(found) == count
    assert not found.found.any()
    assert found.num_injections == injections.num_injections


def test_missed_injections_survive_files_and_statistics(
    tmp_path, make_responses
):
    found = RecoveredInjectionSet.recover(EventSet(Tb=3.0), make_responses(2))
    found.write(tmp_path / "a.hdf5")
    read = RecoveredInjectionSet.read(tmp_path / "a.hdf5")
    assert read == found
    assert read.nb(-1e9) == 0


def test_recover_of_other_ifos(make_responses):
    events = EventSet(
        detection_statistic=[1.0], detection_time=[1], shift=[[0, 1, 2]]
    )
    with pytest.raises(UserError, match="2 and for 3 interferometers"):
        RecoveredInjectionSet.recover(events, make_responses(2))


@pytest.mark.parametrize("window", [-1.0, np.nan])
def test_recovery_window_must_make_sense(window, make_responses):
    with pytest.raises(UserError, match="recovery_window is"):
        RecoveredInjectionSet.recover(
            EventSet(), make_responses(1), recovery_window=window
        )


@given(
    event_sets(max_size=30),
    response_sets(max_size=15),
    st.sampled_from([0.0, 0.5, 3.0, 1e9]),
)
def test_recover_equals_brute_force(events, injections, window):
    injections.injection_time = np.round(4 * injections.injection_time) / 4
    found = RecoveredInjectionSet.recover(
        events, injections, recovery_window=window
    )
    assert len(found) == len(injections)
    for row in range(len(injections)):
        same = (events.shift == injections.shift[row]).all(axis=-1)
        time = injections.injection_time[row]
        rivals = [
            (abs(t - time), -s)
            for t, s in zip(
                events.detection_time[same],
                events.detection_statistic[same],
                strict=True,
            )
            if abs(t - time) <= window
        ]
        statistic = found.detection_statistic[row]
        if rivals:
            distance, loudness = min(rivals)
            assert statistic == -loudness
            assert abs(found.detection_time[row] - time) == distance
        else:
            assert statistic == -np.inf
            assert np.isnan(found.detection_time[row])


@given(event_sets(max_size=30), response_sets(max_size=15))
def test_counts_of_recovered_add_up(events, injections):
    recovered = RecoveredInjectionSet.recover(events, injections)
    assert len(recovered) == len(injections)
    assert recovered.num_injections == injections.num_injections
    missed = np.isneginf(recovered.detection_statistic)
    np.testing.assert_array_equal(recovered.found, ~missed)
    assert recovered.nb(-np.inf) == len(injections)
    assert recovered.nb(-1e9) == recovered.found.sum()
    rows = 0
    for delay in (1.0, 2.0, 3.0):
        some = RecoveredInjectionSet.recover(
            events.get_shift([0, delay]), injections.get_shift([0, delay])
        )
        whole = recovered.get_shift([0, delay])
        np.testing.assert_array_equal(
            some.detection_time, whole.detection_time
        )
        np.testing.assert_array_equal(
            some.detection_statistic, whole.detection_statistic
        )
        rows += len(some)
    assert rows == len(injections)
    assert set(recovered.detection_statistic[~missed]) <= set(
        events.detection_statistic
    )


@given(event_sets(max_size=30), response_sets(max_size=15), st.data())
def test_recovery_does_not_depend_on_the_order(events, injections, data):
    order = data.draw(st.permutations(range(len(injections))))
    rows = np.array(order, dtype=int)
    recovered = RecoveredInjectionSet.recover(events, injections)
    again = RecoveredInjectionSet.recover(
        events.sort_by("detection_statistic"), injections[rows]
    )
    assert again == recovered[rows]
