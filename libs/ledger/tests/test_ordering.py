import numpy as np
import pytest

from ledger import ordering
from ledger.ordering import rises, round_up


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 9])
def test_blocks_overlap(size, monkeypatch):
    monkeypatch.setattr(ordering, "_BLOCK", 3)
    values = np.arange(size) // 2
    assert rises(values)
    for row in range(1, size):
        fallen = values.copy()
        fallen[row] = fallen[row - 1] - 1
        assert not rises(fallen)


def test_the_next_number_of_less_precision():
    up = round_up(np.array([1.0, 1 + 1e-12, -1e300, 1e300]), np.dtype("f4"))
    assert up.dtype == np.float32
    assert up[0] == 1
    assert up[1] == np.nextafter(np.float32(1), np.float32(2))
    assert up[2] == np.finfo(np.float32).min
    assert up[3] == np.inf
    whole = np.array([0.5])
    assert round_up(whole, np.dtype("i8")) is whole
