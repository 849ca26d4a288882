from dataclasses import dataclass

import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st

from ledger.events import EventSet
from ledger.injections import InjectionParameterSet, IntrinsicParameterSet
from ledger.ledger import Ledger, metadata, parameter
from ledger.testing import event_sets, response_sets


@dataclass(eq=False)
class Pairs(Ledger):
    x: np.ndarray = parameter()
    pair: np.ndarray = parameter()
    name: str | None = metadata()
    seconds: float = metadata(default=0.0, merge="add")


@pytest.fixture
def pairs():
    return Pairs(
        x=[3.0, 1.0, 2.0, 1.0],
        pair=np.arange(8).reshape(4, 2),
        name="a",
        seconds=5,
    )


def test_columns_become_arrays_and_metadata_plain():
    table = Pairs(x=[1], pair=[[1, 2]], seconds=np.float64(3))
    assert isinstance(table.x, np.ndarray)
    assert type(table.seconds) is float
    assert len(table) == 1


def test_unequal_columns_are_named():
    with pytest.raises(UserError, match="pair has 2 entries, expected 1"):
        Pairs(x=[1.0], pair=np.zeros((2, 2)))


def test_defaults_are_not_shared():
    first, second = EventSet(), EventSet()
    assert first.detection_time is not second.detection_time
    assert InjectionParameterSet().ifos is not InjectionParameterSet().ifos


@pytest.mark.parametrize(
    "rows",
    [
        slice(1, 3),
        slice(None, None, -2),
        np.array([True, False, True, False]),
        np.array([2, 0, 2]),
        [1, 2],
        [],
        np.array([], dtype=int),
    ],
)
def test_selection(pairs, rows):
    chosen = pairs[rows]
    index = np.arange(4)[
        np.array(rows, int) if isinstance(rows, list) else rows
    ]
    np.testing.assert_array_equal(chosen.x, pairs.x[index])
    np.testing.assert_array_equal(chosen.pair, pairs.pair[index])
    assert (chosen.name, chosen.seconds) == ("a", 5)


def test_one_row_stays_a_table(pairs):
    row = pairs[-1]
    assert row.pair.shape == (1, 2)
    assert row.x.tolist() == [1.0]
    with pytest.raises(IndexError):
        pairs[4]


def test_mask_of_wrong_length(pairs):
    with pytest.raises(IndexError):
        pairs[np.array([True, False])]


def test_iteration_yields_rows(pairs):
    rows = list(pairs)
    assert [row["x"] for row in rows] == [3.0, 1.0, 2.0, 1.0]
    np.testing.assert_array_equal(rows[1]["pair"], [2, 3])
    assert set(rows[0]) == {"x", "pair"}


def test_sort_is_stable_and_keeps_rows_together(pairs):
    assert not pairs.is_sorted_by("x")
    ordered = pairs.sort_by("x")
    assert ordered.is_sorted_by("x")
    assert ordered.pair[:, 0].tolist() == [2, 6, 4, 0]
    assert pairs.x[0] == 3.0


def test_sort_puts_nan_last():
    table = Pairs(x=[np.nan, 1.0, np.nan, 0.0], pair=np.zeros((4, 2)))
    ordered = table.sort_by("x")
    np.testing.assert_array_equal(ordered.x, [0, 1, np.nan, np.nan])
    assert ordered.is_sorted_by("x")
    assert not table.is_sorted_by("x")


def test_sort_by_property():
    table = IntrinsicParameterSet(
        **{
            name: np.array([2.0, 1.0])
            for name in IntrinsicParameterSet.columns()
        }
    )
    assert table.sort_by("chirp_mass").mass_1.tolist() == [1.0, 2.0]


def test_sort_by_rows_is_refused(pairs):
    with pytest.raises(UserError, match=r"pair: it has shape \(4, 2\)"):
        pairs.sort_by("pair")


def test_equality(pairs):
    assert pairs == pairs[:]
    assert pairs != pairs[::-1]
    assert pairs != pairs[:3]
    assert pairs != EventSet()


def test_append_adds_rows_and_merges_metadata(pairs):
    pairs.append(Pairs(x=[9.0], pair=[[8, 9]], seconds=2))
    assert len(pairs) == 5
    assert pairs.pair[-1].tolist() == [8, 9]
    assert (pairs.name, pairs.seconds) == ("a", 7)


def test_selections_have_the_metadata_of_the_whole(pairs):
    """So that joined again they count twice, as their docstrings say."""
    assert pairs[:2].seconds == pairs[2:].seconds == pairs.seconds == 5
    joined = pairs[:2]
    joined.append(pairs[2:])
    assert joined.seconds == 10
    assert "selections of one table" in " ".join(Pairs.append.__doc__.split())


@pytest.mark.parametrize("bases", [(Ledger,), (EventSet,)])
def test_a_rule_of_joining_that_nothing_calls_is_refused(bases):
    def compare_metadata(cls, key, ours, theirs):
        return ours

    hook = classmethod(compare_metadata)
    mixin = type("Mixin", (), {"compare_metadata": hook})
    for parents, members in (
        (bases, {"compare_metadata": hook}),
        ((mixin, *bases), {}),
    ):
        with pytest.raises(TypeError, match="Old defines compare_metadata"):
            type("Old", parents, members)


def test_append_to_empty_keeps_shape_and_dtype():
    table = Pairs()
    other = Pairs(x=np.ones(2, np.float32), pair=np.ones((2, 2), np.int16))
    table.append(other)
    assert table.x.dtype == np.float32
    assert table.pair.dtype == np.int16
    table.append(Pairs())
    assert table.pair.shape == (2, 2)
    assert table.x.dtype == np.float32


def test_append_of_disagreeing_metadata_changes_nothing(pairs):
    other = Pairs(x=[1.0], pair=[[0, 0]], name="b")
    with pytest.raises(UserError, match="name is a so far, but b in"):
        pairs.append(other)
    assert len(pairs) == 4
    assert pairs.name == "a"


def test_append_of_another_class(pairs):
    with pytest.raises(TypeError, match="EventSet"):
        pairs.append(EventSet())


def test_append_of_other_row_shape(pairs):
    with pytest.raises(UserError, match="rows of pair"):
        pairs.append(Pairs(x=[1.0], pair=np.zeros((1, 3))))


def test_ifos_must_agree_but_may_be_unknown():
    columns = {
        name: np.ones((1, 2)) if name == "ifo_snrs" else np.ones(1)
        for name in InjectionParameterSet.columns()
    }
    known = InjectionParameterSet(**columns, ifos=["H1", "L1"])
    unknown = InjectionParameterSet()
    unknown.append(known)
    assert unknown.ifos == ["H1", "L1"]
    with pytest.raises(UserError, match=r"ifos is .*H1.*V1.*"):
        known.append(InjectionParameterSet(**columns, ifos=["H1", "V1"]))


@given(st.lists(event_sets(max_size=5), max_size=4))
def test_merge_is_concatenation(parts):
    joined = EventSet.concatenate(parts)
    assert len(joined) == sum(map(len, parts))
    assert joined.Tb == pytest.approx(sum(part.Tb for part in parts))
    start = 0
    for part in parts:
        chosen = joined[start : start + len(part)]
        assert np.array_equal(chosen.detection_time, part.detection_time)
        start += len(part)


@given(event_sets(), event_sets())
def test_append_equals_concatenate_and_commutes_with_sort(one, two):
    joined = EventSet.concatenate([one, two])
    grown = one[:]
    grown.append(two)
    assert grown == joined
    again = EventSet.concatenate(
        [one.sort_by("detection_time"), two.sort_by("detection_time")]
    )
    np.testing.assert_array_equal(
        np.sort(joined.detection_time),
        again.sort_by("detection_time").detection_time,
    )


@given(response_sets(), st.data())
def test_slices_join_to_the_whole(table, data):
    cut = data.draw(st.integers(0, len(table)))
    parts = [table[:cut], table[cut:]]
    joined = type(table).concatenate(parts)
    for name in table.columns():
        np.testing.assert_array_equal(
            getattr(joined, name), getattr(table, name)
        )
    assert joined.num_injections == 2 * table.num_injections


@given(event_sets(), st.data())
def test_selection_and_sorting_commute(table, data):
    """Sorting is stable, so that it does not matter which comes first."""
    flags = st.lists(st.booleans(), min_size=len(table), max_size=len(table))
    mask = np.array(data.draw(flags), dtype=bool)
    order = np.argsort(table.detection_statistic, kind="stable")
    assert (
        table[mask].sort_by("detection_statistic")
        == (table.sort_by("detection_statistic")[mask[order]])
    )
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, 20)] * 2)))
    rows = np.arange(len(table))
    assert table[start:stop] == table[rows[start:stop]]
    assert table[mask] == table[np.flatnonzero(mask)]
    assert table[mask][start:stop] == table[rows[mask][start:stop]]
    again = table.sort_by("detection_statistic")
    assert again.is_sorted_by("detection_statistic")
    assert again.sort_by("detection_statistic") == again


@given(event_sets(), event_sets(), event_sets())
def test_joining_commutes_with_the_rest(one, two, three):
    join = EventSet.concatenate
    joined = join([one, two])
    key = "detection_statistic"
    halves = join([one.sort_by(key), two.sort_by(key)])
    assert joined.sort_by(key) == halves.sort_by(key)
    nested = join([joined, three])
    flat = join([one, two, three])
    for name in flat.columns():
        np.testing.assert_array_equal(
            getattr(nested, name), getattr(flat, name)
        )
    assert nested.Tb == flat.Tb
    assert len(flat) == len(one) + len(two) + len(three)
    loud = joined.detection_statistic > 0
    parts = [each[each.detection_statistic > 0] for each in (one, two)]
    assert joined[loud] == join(parts)
    assert list(map(str, joined)) == [*map(str, one), *map(str, two)]


@given(event_sets(), event_sets())
def test_append_leaves_the_other_alone(one, two):
    before, grown = two[:], one[:]
    grown.append(two)
    grown.detection_time = grown.detection_time + 1
    assert two == before
    assert grown.Tb == one.Tb + two.Tb
