import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st

from ledger.matching import nearest_events
from ledger.shifts import codes, matches

shift_lists = st.lists(
    st.tuples(*[st.sampled_from([-0.1, 0.0, 0.1, 0.3, 7.0])] * 3),
    max_size=20,
).map(lambda rows: np.array(rows).reshape(-1, 3))


@given(shift_lists, shift_lists)
def test_codes_equal_brute_force(reference, other):
    ours, theirs = codes(reference, other)
    assert sorted(set(ours)) == list(range(len(set(map(tuple, reference)))))
    known = dict(zip(map(tuple, reference), ours, strict=True))
    assert len(set(known.values())) == len(known)
    assert [known[tuple(row)] for row in reference] == ours.tolist()
    assert [known.get(tuple(row), -1) for row in other] == theirs.tolist()


def test_matches_one_or_several():
    shift = np.array([[0, 1.0], [0, 2], [1, 2]])
    assert matches(shift, [0, 2]).tolist() == [False, True, False]
    assert matches(shift, [[0, 2], [1, 2]]).tolist() == [False, True, True]
    assert matches(np.array([1.0, 2.0]), 2.0).tolist() == [False, True]
    assert matches(np.array([]), [0, 1]).tolist() == []


def test_other_number_of_ifos():
    with pytest.raises(UserError, match="for 2 and for 3"):
        codes(np.zeros((1, 2)), np.zeros((1, 3)))


def test_many_groups():
    """More groups than a 16-bit number counts."""
    count = 70_000
    group = np.arange(count)[::-1]
    found = nearest_events(
        group * 10.0 + 1,
        np.zeros(count),
        np.where(group % 2, group, -1),
        np.arange(count) * 10.0,
        np.arange(count),
        1.0,
    )
    expected = np.where(np.arange(count) % 2, count - 1 - np.arange(count), -1)
    np.testing.assert_array_equal(found, expected)
