import numpy as np
import pytest
from conventions.errors import UserError
from scipy import stats

from ledger.intervals import ONE_SIGMA, binomial_interval, poisson_interval


def test_one_sigma():
    assert pytest.approx(stats.norm.cdf(1) - stats.norm.cdf(-1)) == ONE_SIGMA


def test_poisson_against_gehrels():
    """Gehrels 1986, tables 1 and 2, one-sigma column."""
    low, high = poisson_interval(np.array([0, 1, 2, 10, 50]))
    np.testing.assert_allclose(
        high, [1.841, 3.300, 4.638, 14.27, 58.12], rtol=5e-4
    )
    np.testing.assert_allclose(low, [0, 0.173, 0.708, 6.891, 42.95], rtol=2e-3)


@pytest.mark.parametrize("level", [0.5, ONE_SIGMA, 0.95])
@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_poisson_bounds_are_the_tails(count, level):
    low, high = poisson_interval(count, level)
    tail = (1 - level) / 2
    assert stats.poisson.cdf(count, high) == pytest.approx(tail)
    if count:
        assert stats.poisson.sf(count - 1, low) == pytest.approx(tail)
    else:
        assert low == 0


@pytest.mark.parametrize("level", [0.5, ONE_SIGMA, 0.95])
@pytest.mark.parametrize(("k", "n"), [(0, 5), (1, 5), (5, 5), (300, 1000)])
def test_binomial_against_scipy(k, n, level):
    expected = stats.binomtest(k, n).proportion_ci(level, method="exact")
    np.testing.assert_allclose(
        binomial_interval(k, n, level), [expected.low, expected.high]
    )


def test_binomial_without_trials_and_of_arrays():
    low, high = binomial_interval([0, 0, 3], [0, 4, 4])
    assert low[0] == low[1] == 0
    assert high[0] == 1 > high[2] > 0.75 > low[2]
    low, high = binomial_interval(np.array([[1], [2]]), 4)
    assert low.shape == high.shape == (2, 1)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: poisson_interval(-1), "negative: -1"),
        (lambda: poisson_interval(1, 1.0), "level is 1.0"),
        (lambda: binomial_interval(3, 2), "successes <= trials"),
        (lambda: binomial_interval(-1, 2), "successes <= trials"),
        (lambda: binomial_interval(1, 2, 0.0), "level is 0.0"),
    ],
)
def test_impossible_input(use, message):
    with pytest.raises(UserError, match=message):
        use()
