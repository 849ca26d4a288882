import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given

from ledger import vetos
from ledger.testing import interval_lists
from ledger.vetos import inside, merge_intervals


def test_overlapping_and_touching_intervals_merge():
    merged = merge_intervals([(5, 9), (1, 3), (3, 4), (6, 7), (10, 11)])
    assert merged.tolist() == [[1, 4], [5, 9], [10, 11]]


@given(interval_lists())
def test_merged_intervals_are_sorted_and_apart(intervals):
    merged = merge_intervals(intervals)
    assert (merged[1:, 0] > merged[:-1, 1]).all()
    times = np.arange(0, 100, 0.5)
    expected = [any(a <= t < b for a, b in intervals) for t in times]
    assert inside(times, merged).tolist() == expected


@pytest.mark.parametrize("block", [1, 7, 200])
def test_blocks_of_times_do_not_matter(block, rng, monkeypatch):
    merged = merge_intervals(rng.uniform(0, 100, (9, 1)) + np.array([0, 4]))
    times = rng.uniform(0, 110, 200)
    expected = [any(a <= t < b for a, b in merged) for t in times]
    monkeypatch.setattr(vetos, "_BLOCK", block)
    assert inside(times, merged).tolist() == expected
    assert any(expected)


def test_nan_lies_nowhere():
    merged = merge_intervals([(0, np.inf)])
    assert inside(np.array([np.nan, 1.0]), merged).tolist() == [False, True]
    assert inside(np.array([np.nan]), merge_intervals([])).tolist() == [False]


@pytest.mark.parametrize(
    ("intervals", "message"),
    [
        ([(0, 1), (2, 1)], r"interval 1 is \(2.0, 1.0\)"),
        ([(0, np.nan)], r"interval 0 is \(0.0, nan\)"),
        ([0.0, 1.0], r"shape \(2,\)"),
        ([(0, 1, 2)], r"shape \(1, 3\)"),
    ],
)
def test_bad_intervals(intervals, message):
    with pytest.raises(UserError, match=message):
        merge_intervals(intervals)
