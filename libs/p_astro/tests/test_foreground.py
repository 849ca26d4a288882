import sys

import numpy as np
import pytest
from conventions.errors import UserError
from p_astro.foreground import KdeForeground
from p_astro.samples import FitError
from priors.cosmology import astrophysical_volume
from scipy.stats import norm

RATE = 25.0
VOLUME = 300.0


def signals(found=3000, missed=1000):
    found = np.random.default_rng(0).normal(8, 3, found)
    return np.concatenate([found, np.full(missed, -np.inf)])


def integral(model):
    at = np.union1d(np.linspace(-30, model.split, 100_001), model.density.tail)
    body = np.trapezoid(model(at), at)
    return body + model(at[-1]) / model.density.decay


def test_integral_is_rate_times_volume_of_all_found(make_injections):
    foreground, rejected = make_injections(signals(), 6000)
    model = KdeForeground(foreground, rejected, RATE, volume=VOLUME)
    assert model.fraction == pytest.approx(0.3)
    assert model.sensitive_volume == pytest.approx(0.3 * VOLUME)
    assert model.total_rate == pytest.approx(RATE * 0.3 * VOLUME)
    assert integral(model) == pytest.approx(model.total_rate, rel=1e-4)


def test_weights_lead_to_the_target():
    # Drawn uniformly, weighted towards a normal; half of it is missed.
    rng = np.random.default_rng(0)
    values = rng.uniform(-10, 10, 100_000)
    weights = norm.pdf(values, 2, 1)
    weights /= weights.sum()
    lost = rng.uniform(size=values.size) < 0.5
    model = KdeForeground.from_arrays(
        np.where(lost, -np.inf, values), weights, VOLUME, RATE
    )
    assert model.total_rate == pytest.approx(RATE * VOLUME / 2, rel=0.02)
    at = np.linspace(0, 4, 41)
    expected = RATE * VOLUME / 2 * norm.pdf(at, 2, 1)
    assert model(at) == pytest.approx(expected, rel=0.15)


def test_injections_without_weight_do_not_matter():
    statistics = signals(3000, 0)
    weights = np.full(3000, 1e-4)
    one = KdeForeground.from_arrays(statistics, weights, VOLUME, RATE)
    two = KdeForeground.from_arrays(
        np.append(statistics, 1e6), np.append(weights, 0.0), VOLUME, RATE
    )
    at = np.linspace(0, 20, 100)
    np.testing.assert_array_equal(one(at), two(at))


def test_rate_scales_exactly():
    weights = np.full(4000, 1e-4)
    one, two = (
        KdeForeground.from_arrays(signals(), weights, VOLUME, rate)
        for rate in (RATE, 2 * RATE)
    )
    at = np.linspace(-10, 40, 500)
    np.testing.assert_array_equal(two(at), 2 * one(at))
    np.testing.assert_array_equal(one.at_rate(2 * RATE)(at), two(at))
    assert not one.at_rate(0)(at).any()


def test_tail_goes_on_beyond_the_loudest():
    model = KdeForeground.from_arrays(
        signals(), np.full(4000, 1e-4), VOLUME, RATE
    )
    loudest = signals().max()
    assert model(loudest + 20 * model.density.bandwidth) > 0
    slope = np.diff(model.density.log_pdf([loudest + 5, loudest + 6]))
    assert slope == pytest.approx(-model.density.decay)


def test_volume_between_the_extreme_draws(make_injections):
    foreground, rejected = make_injections(signals(), 6000)
    model = KdeForeground(foreground, rejected, RATE)
    assert model.volume == pytest.approx(
        astrophysical_volume(0.1, 1.5), rel=1e-3
    )
    assert model.volume < astrophysical_volume(0.1, 1.5)


def test_no_rejected_draws(make_injections):
    model = KdeForeground(*make_injections(signals(), 0), RATE)
    assert model.fraction == pytest.approx(0.75)


def test_all_missed(make_injections):
    tables = make_injections(np.full(500, -np.inf), 10)
    with pytest.raises(FitError, match="none of 500 injections was found"):
        KdeForeground(*tables, RATE)


@pytest.mark.parametrize("volume", [None, VOLUME])
def test_no_draws(make_injections, volume):
    tables = make_injections(np.zeros(0), 0)
    with pytest.raises(UserError, match=r"no injection was drawn|none of 0"):
        KdeForeground(*tables, RATE, volume=volume)


def test_too_few_found(make_injections):
    tables = make_injections(signals(90, 9000), 10)
    with pytest.raises(FitError, match=r"found injections: 90 .* too few"):
        KdeForeground(*tables, RATE, volume=VOLUME)


def test_tables_of_two_runs(make_injections):
    foreground, _ = make_injections(signals(), 100)
    _, rejected = make_injections(signals(), 99)
    with pytest.raises(UserError, match="not of the same run"):
        KdeForeground(foreground, rejected, RATE)


@pytest.mark.parametrize("rate", [-1.0, np.nan, np.inf])
def test_bad_rates(rate):
    weights = np.full(4000, 1e-4)
    with pytest.raises(UserError, match="astro_event_rate is"):
        KdeForeground.from_arrays(signals(), weights, VOLUME, rate)
    model = KdeForeground.from_arrays(signals(), weights, VOLUME, RATE)
    with pytest.raises(UserError, match="astro_event_rate is"):
        model.at_rate(rate)


@pytest.mark.parametrize("volume", [-1.0, 0.0, np.nan, np.inf])
def test_bad_volumes(volume):
    weights = np.full(4000, 1e-4)
    with pytest.raises(UserError, match="fill a volume of"):
        KdeForeground.from_arrays(signals(), weights, volume, RATE)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.full(3999, 1e-4), "one each is needed"),
        (np.full(4000, 1e-3), "sum to 4; together"),
        (np.append(np.full(3999, 1e-4), -1e-4), "1 of 4000 weights"),
        (np.append(np.full(3998, 1e-4), [np.nan] * 2), "2 of 4000 weights"),
    ],
)
def test_bad_weights(weights, message):
    with pytest.raises(UserError, match=message):
        KdeForeground.from_arrays(signals(), weights, VOLUME, RATE)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_statistics(bad):
    statistics = signals()
    statistics[7] = bad
    with pytest.raises(UserError, match=r"1 of 3000 .* not finite"):
        KdeForeground.from_arrays(
            statistics, np.full(4000, 1e-4), VOLUME, RATE
        )


def test_volume_without_priors(make_injections, monkeypatch):
    monkeypatch.setitem(sys.modules, "priors.cosmology", None)
    tables = make_injections(signals(), 6000)
    with pytest.raises(UserError, match="install it, or give volume"):
        KdeForeground(*tables, RATE)
