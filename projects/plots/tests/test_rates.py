import numpy as np
import pytest
from conventions.errors import UserError
from ledger.events import SECONDS_IN_YEAR, EventSet
from plots.rates import cumulative_rate, far_axis, log_ranks
from scipy.stats import chi2


def events(statistics, livetime):
    size = len(statistics)
    return EventSet(
        detection_statistic=np.asarray(statistics, float),
        detection_time=np.arange(size, dtype=float),
        shift=np.zeros((size, 2)),
        Tb=livetime,
    )


def test_rate_and_band():
    background = events([3, 1, 2, 2], 100.0)
    curve = cumulative_rate(background, background)
    np.testing.assert_array_equal(curve.statistic, [3, 2, 2, 1])
    np.testing.assert_array_equal(curve.count, [1, 3, 3, 4])
    rate = np.array([1, 3, 3, 4]) * SECONDS_IN_YEAR / 100
    np.testing.assert_allclose(curve.rate, rate)
    np.testing.assert_allclose(curve.ifar, 1 / rate)
    low, high = curve.band(0.9)
    scale = SECONDS_IN_YEAR / 100
    assert low[0] == pytest.approx(chi2.ppf(0.05, 2) / 2 * scale)
    assert high[0] == pytest.approx(chi2.ppf(0.95, 4) / 2 * scale)


def test_zero_lag_uses_the_far_of_the_background():
    background = events(np.arange(10), 1000.0)
    curve = cumulative_rate(events([7.5, 20], 50.0), background)
    np.testing.assert_allclose(
        curve.ifar, [1000 / SECONDS_IN_YEAR, 500 / SECONDS_IN_YEAR]
    )
    np.testing.assert_allclose(
        curve.rate, np.array([1, 2]) * SECONDS_IN_YEAR / 50
    )


def test_no_events():
    background = events([], 100.0)
    curve = cumulative_rate(background, background)
    assert curve.rate.size == curve.band(0.68)[0].size == 0


def test_log_ranks():
    np.testing.assert_array_equal(log_ranks(5, 10), [1, 2, 3, 4, 5])
    assert log_ranks(0).size == 0
    ranks = log_ranks(10**6, 50)
    assert (ranks[0], ranks[-1]) == (1, 10**6)
    assert np.all(np.diff(ranks) > 0)
    assert len(ranks) <= 50


def test_far_axis_and_its_thresholds_are_whole_events():
    background = events(np.arange(1000), 1e5)
    far = far_axis(background)
    count = far * 1e5 / SECONDS_IN_YEAR
    np.testing.assert_allclose(count, np.rint(count))
    assert far[0] == background.min_far
    assert background.threshold_at_far(far).min() > -np.inf
    np.testing.assert_array_equal(
        background.nb(background.threshold_at_far(far)), np.rint(count)
    )


@pytest.mark.parametrize("seed", range(3))
def test_far_axis_allows_its_events_for_any_livetime(seed):
    rng = np.random.default_rng(seed)
    for livetime in 10 ** rng.uniform(2, 9, 100):
        background = events(np.arange(500), livetime)
        far = far_axis(background)
        count = np.rint(far * livetime / SECONDS_IN_YEAR)
        allowed = background.nb(background.threshold_at_far(far))
        np.testing.assert_array_equal(allowed, count)


def test_far_axis_ends_at_one_a_minute():
    background = events(np.arange(1000), 6000.0)
    assert far_axis(background)[-1] == pytest.approx(SECONDS_IN_YEAR / 60)


@pytest.mark.parametrize("size", [0, 1])
def test_far_axis_of_few_events(size):
    background = events(np.arange(size), 100.0)
    np.testing.assert_allclose(far_axis(background), SECONDS_IN_YEAR / 100)


def test_no_livetime():
    with pytest.raises(UserError, match="livetime"):
        far_axis(events([], 0.0))
