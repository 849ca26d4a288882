import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given, settings
from hypothesis import strategies as st
from plots.volume import RecoveredStatistics, Weights


def brute_force(statistics, kept, rejected, threshold, total):
    weights = np.concatenate([kept, rejected])
    weights = weights / weights.sum()
    found = np.zeros(len(weights))
    for i, statistic in enumerate(statistics):
        found[i] = statistic > -np.inf and statistic >= threshold
    volume = total * sum(w * f for w, f in zip(weights, found, strict=True))
    variance = sum(
        w**2 * (f - volume / total) ** 2
        for w, f in zip(weights, found, strict=True)
    )
    return volume, total * np.sqrt(variance)


def test_all_found_fills_the_volume():
    weights = Weights.from_logarithms(np.log([1.0, 2.0, 3.0]), [])
    volume, error = RecoveredStatistics([5.0, 6.0, 7.0]).volume(
        weights, [4.0], 22.0
    )
    np.testing.assert_allclose(volume, 22.0)
    np.testing.assert_allclose(error, 0.0, atol=1e-12)


def test_uniform_weights_give_the_binomial_error():
    n_found, n_missed, n_rejected = 30, 20, 50
    statistics = [1.0] * n_found + [-np.inf] * n_missed
    weights = Weights.from_logarithms(
        np.full(n_found + n_missed, -3.0), np.full(n_rejected, -3.0)
    )
    volume, error = RecoveredStatistics(statistics).volume(
        weights, [0.0], 10.0
    )
    fraction = n_found / 100
    np.testing.assert_allclose(volume, 10 * fraction)
    np.testing.assert_allclose(
        error, 10 * np.sqrt(fraction * (1 - fraction) / 100)
    )


def test_rejected_draws_count_in_volume_and_error():
    found = RecoveredStatistics([1.0])
    alone = Weights.from_logarithms([0.0], [])
    beside = Weights.from_logarithms([0.0], [0.0, 0.0, 0.0])
    assert found.volume(alone, [0.0], 8.0)[0] == pytest.approx(8.0)
    volume, error = found.volume(beside, [0.0], 8.0)
    assert volume == pytest.approx(2.0)
    # w = 1/4: 8 sqrt(1/16 (3/4)^2 + 3/16 (1/4)^2)
    assert error == pytest.approx(8 * np.sqrt((9 / 16 + 3 / 16) / 16))


def test_effective_sample_size():
    weights = Weights.from_logarithms(np.log([1.0, 3.0]), np.log([4.0]))
    assert weights.ess == pytest.approx(8**2 / (1 + 9 + 16))
    assert weights.ess_kept == pytest.approx(4**2 / (1 + 9))
    assert Weights.from_logarithms([], [0.0]).ess_kept == 0


def test_missed_are_not_found_at_any_threshold():
    weights = Weights.from_logarithms(np.zeros(2), [])
    recovered = RecoveredStatistics([-np.inf, 3.0])
    volume, _ = recovered.volume(weights, [-np.inf, 3.0, 3.1], 1.0)
    np.testing.assert_allclose(volume, [0.5, 0.5, 0.0])


def test_weights_do_not_underflow():
    weights = Weights.from_logarithms([-2000.0, -2001.0], [-2000.0])
    np.testing.assert_allclose(
        weights.kept, np.array([1, np.exp(-1)]) / (2 + np.exp(-1))
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_pass_equals_a_loop(data):
    kept = data.draw(st.integers(0, 12))
    rejected = data.draw(st.integers(0 if kept else 1, 6))
    statistic = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0])
    weight = st.floats(0.01, 10.0)
    statistics = data.draw(st.lists(statistic, min_size=kept, max_size=kept))
    first = data.draw(st.lists(weight, min_size=kept, max_size=kept))
    second = data.draw(st.lists(weight, min_size=rejected, max_size=rejected))
    thresholds = [2.5, 2.0, -1.0, 0.0, 0.25, -np.inf]
    volume, error = RecoveredStatistics(statistics).volume(
        Weights.from_logarithms(np.log(first), np.log(second)),
        thresholds,
        3.0,
    )
    for i, threshold in enumerate(thresholds):
        expected = brute_force(statistics, first, second, threshold, 3.0)
        np.testing.assert_allclose(volume[i], expected[0], atol=1e-12)
        np.testing.assert_allclose(error[i], expected[1], atol=1e-7)


def test_no_draws():
    with pytest.raises(UserError, match="no injection was drawn"):
        Weights.from_logarithms([], [])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_draw_outside_its_prior(bad):
    with pytest.raises(UserError, match=r"1 of 2 rejected .* prior"):
        Weights.from_logarithms([0.0], [0.0, bad])


def test_no_overlap():
    with pytest.raises(UserError, match="does not overlap"):
        Weights.from_logarithms([-np.inf], [-np.inf])


def test_nan_statistic():
    with pytest.raises(UserError, match="1 of 2 detection statistics"):
        RecoveredStatistics([np.nan, 1.0])
