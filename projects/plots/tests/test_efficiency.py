import math

import numpy as np
import pytest
from conventions.errors import UserError
from plots.efficiency import SNR_SUMMARY_BINS, recovered_fractions
from scipy.stats import beta


def test_counts_and_intervals():
    snr = [4, 5.9, 6, 7, 7.5, 25]
    statistic = [-np.inf, 1, 2, 3, 0.5, 9]
    bins = [(4.0, 6.0), (6.0, 8.0), (8.0, 20.0), (20.0, math.inf)]
    rows = recovered_fractions(snr, statistic, 1.0, bins, level=0.9)
    assert [row.name for row in rows] == ["4-6", "6-8", "8-20", ">=20"]
    assert [row.count for row in rows] == [2, 3, 0, 1]
    assert [row.found for row in rows] == [1, 2, 0, 1]
    assert rows[1].fraction == pytest.approx(2 / 3)
    assert rows[2].fraction is None
    assert (rows[2].low, rows[2].high) == (0.0, 1.0)
    assert rows[1].low == pytest.approx(beta.ppf(0.05, 2, 2))
    assert rows[1].high == pytest.approx(beta.ppf(0.95, 3, 1))
    assert rows[3].high == 1.0


def test_missed_are_not_found_below_every_threshold():
    (row, _) = recovered_fractions([9], [-np.inf], -np.inf, SNR_SUMMARY_BINS)
    assert (row.name, row.count, row.found) == ("8-10", 1, 0)


def test_bad_bin():
    with pytest.raises(UserError, match=r"SNR bin \(8, 6\)"):
        recovered_fractions([], [], 0.0, [(8.0, 6.0)])
