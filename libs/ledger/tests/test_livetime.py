import time
from itertools import pairwise

import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st

from ledger.events import EventSet
from ledger.livetime import LivetimeSet
from ledger.testing import interval_lists

STEP = 1 / 8
LISTS = st.lists(interval_lists(), min_size=2, max_size=2)


def table(rows):
    """Stretches (start, stop, shift of L1), H1 unshifted."""
    start, stop, shift = np.array(rows, dtype=float).reshape(-1, 3).T
    shifts = np.column_stack([np.zeros_like(shift), shift])
    return LivetimeSet(start, stop, shifts)


@st.composite
def livetimes(draw):
    stretches = draw(interval_lists(max_size=5))
    shifts = st.integers(-16, 16).map(lambda value: value / 8)
    return table([(*pair, draw(shifts)) for pair in stretches])


def grid(stretches):
    """Every eighth of a second of every stretch, as events."""
    pieces = [
        np.arange(start, stop, STEP)
        for start, stop in zip(stretches.start, stretches.stop, strict=True)
    ]
    counts = [len(piece) for piece in pieces]
    times = np.concatenate([*pieces, []])
    return EventSet(
        np.zeros(len(times)),
        times,
        np.repeat(stretches.shift.reshape(-1, 2), counts, axis=0),
    )


@given(livetimes(), LISTS)
def test_vetoed_time_is_that_of_the_vetoed_moments(stretches, vetos):
    # All bounds are multiples of the step, so that counting is exact.
    moments = grid(stretches)
    left = moments
    for idx, intervals in enumerate(vetos):
        left = left.apply_vetos(intervals, idx)
    expected = STEP * (len(moments) - len(left))
    assert stretches.vetoed(vetos) == expected
    assert stretches.Tb == STEP * len(moments)


@given(livetimes(), LISTS)
def test_vetoed_time_adds_up_over_rows_and_stays_below_all(stretches, vetos):
    whole = stretches.vetoed(vetos)
    assert whole == sum(
        stretches[row].vetoed(vetos) for row in range(len(stretches))
    )
    assert 0 <= whole <= stretches.Tb
    single = [
        stretches.vetoed([vetos[0], []]),
        stretches.vetoed([[], vetos[1]]),
    ]
    assert max(single) <= whole <= sum(single)


def test_vetoes_of_both_ifos_count_once_where_they_meet():
    stretches = table([(100, 200, 10)])
    vetos = [np.array([[100.0, 110.0]]), np.array([[115.0, 130.0]])]
    # L1's interval is at 105 to 120 of the common clock.
    assert stretches.vetoed(vetos) == 20
    assert stretches.vetoed([vetos[0], []]) == 10
    assert stretches.vetoed([[], vetos[1]]) == 15


def test_endless_vetoes_take_everything():
    stretches = table([(1e9, 1e9 + 100, 1), (1e9 + 50, 1e9 + 60, 2)])
    forever = [(-np.inf, np.inf)]
    assert stretches.vetoed([forever, []]) == stretches.Tb == 110
    assert stretches.vetoed([[], forever]) == 110


def test_round_trip_and_aggregation(tmp_path):
    first = table([(0, 10, 1), (20, 25, 1)])
    second = table([(0, 8, 2)])
    empty = table([])
    files = [tmp_path / f"{number}.hdf5" for number in range(3)]
    for ledger, file in zip((first, empty, second), files, strict=True):
        ledger.write(file)
    LivetimeSet.aggregate(files, tmp_path / "all.hdf5")
    whole = LivetimeSet.read(tmp_path / "all.hdf5")
    assert whole.Tb == first.Tb + second.Tb == 23
    assert whole.get_shift([0, 2]).duration.tolist() == [8]
    assert LivetimeSet.read(files[1]).vetoed([[], []]) == 0
    assert LivetimeSet().Tb == 0


@pytest.mark.parametrize(
    ("start", "stop"), [(2.0, 1.0), (np.nan, 1.0), (0.0, np.inf)]
)
def test_wrong_stretches(start, stop):
    with pytest.raises(UserError, match="stretch 1 is"):
        table([(0, 1, 0), (start, stop, 0)])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_one_list_of_vetoes_an_ifo(count):
    with pytest.raises(UserError, match=f"vetoes of {count} interf"):
        table([(0, 1, 0)]).vetoed([[]] * count)


def test_shifts_of_one_ifo_in_either_shape():
    vetos = [np.array([[2.0, 4.0]])]
    for shift in (np.ones(1), np.ones((1, 1))):
        stretches = LivetimeSet([0.0], [10.0], shift)
        assert stretches.vetoed(vetos) == 2
        assert len(stretches.get_shift(1.0)) == 1
        with pytest.raises(UserError, match="vetoes of 2 interf"):
            stretches.vetoed(vetos * 2)


def test_reversed_veto():
    with pytest.raises(UserError, match="interval 0"):
        table([]).vetoed([[(2, 1)], []])


def test_a_campaign_is_fast(rng):
    year = 3e7
    bounds = np.sort(rng.uniform(0, year, 200_000)).reshape(-1, 2)
    edges = np.linspace(0, year, 101)
    rows = [
        (start, stop - 10, 1000.0 * shift)
        for shift in range(1, 101)
        for start, stop in pairwise(edges)
    ]
    stretches = table(rows)
    begin = time.process_time()
    vetoed = stretches.vetoed([bounds, bounds[::2]])
    assert time.process_time() - begin < 10
    # A moment is vetoed in H1 by 1/2 and, 1000 s apart, in L1 by 1/4.
    assert vetoed / stretches.Tb == pytest.approx(5 / 8, abs=0.01)
