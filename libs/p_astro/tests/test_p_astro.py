import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger.events import SECONDS_IN_YEAR
from p_astro import Pastro
from p_astro.background import KdeAndPolynomialBackground
from p_astro.foreground import KdeForeground
from p_astro.p_astro import _rising

WIDE = np.linspace(-20, 60, 20_001)


def odds(model, at):
    probability = model(at)
    return probability / (1 - probability)


def test_exponentials(exponentials):
    at = np.linspace(0.5, 8, 100)
    signal = 30 * np.exp(-at / 2) / 2
    noise = 200_000 * np.exp(-at / 0.5) / 0.5
    expected = signal / (signal + noise)
    assert exponentials(at) == pytest.approx(expected, abs=0.06)
    near = at < 3
    assert np.log(odds(exponentials, at[near])) == pytest.approx(
        np.log(signal / noise)[near], abs=0.15
    )
    assert exponentials(0.5) < 1e-3
    assert exponentials(15.0) > 0.99


def test_normals():
    rng = np.random.default_rng(2)
    noise = KdeAndPolynomialBackground.from_arrays(
        rng.normal(size=300_000), SECONDS_IN_YEAR / 1e3
    )
    signal = KdeForeground.from_arrays(
        rng.normal(3, 1, 100_000), np.full(100_000, 1e-6), 100.0, 50.0
    )
    model = Pastro(signal, noise)
    at = np.linspace(0, noise.split, 50)
    expected = np.log(500 / 3e8) + 3 * at - 4.5
    assert np.log(odds(model, at)) == pytest.approx(expected, abs=0.3)


def test_is_the_ratio_where_that_rises(exponentials):
    at = np.linspace(1, 3, 50)
    signal = exponentials.foreground_model(at)
    noise = exponentials.background_model(at)
    # Up to the wiggles of kernels, which are smaller than the join's error.
    assert odds(exponentials, at) == pytest.approx(signal / noise, rel=0.1)
    split = exponentials.background_model.split
    ratio = exponentials.foreground_model(
        split
    ) / exponentials.background_model(split)
    assert odds(exponentials, split) == pytest.approx(ratio, rel=1e-9)


@pytest.mark.parametrize("search", ["exponentials", "saturated"])
def test_never_falls(search, request):
    model = request.getfixturevalue(search)
    probability = model(np.concatenate([[-np.inf], WIDE, [1e6, np.inf]]))
    assert np.all(np.diff(probability) >= 0)
    assert probability[0] == 0


def test_signals_that_end_before_the_noise(saturated):
    split = saturated.background_model.split
    signal, noise = saturated.foreground_model, saturated.background_model
    beyond = np.linspace(split, split + 20, 200)
    ratio = signal(beyond) / noise(beyond)
    assert ratio[-1] < ratio[0]
    assert np.all(saturated(beyond) >= saturated(split))


def test_loud_lone_injection_lowers_nothing(saturated):
    rng = np.random.default_rng(4)
    found = np.append(rng.normal(1, 0.5, 2000), 30.0)
    model = Pastro(
        KdeForeground.from_arrays(found, np.full(2001, 1e-4), 300.0, 25.0),
        saturated.background_model,
    )
    assert np.all(np.diff(model(WIDE)) >= 0)


def test_quieter_than_all_noise(saturated):
    # Kernels of the signals are wider and reach further than the noise's.
    lowest = saturated.background_model.density.start
    assert saturated.foreground_model(lowest) > saturated.background_model(
        lowest
    )
    assert saturated(lowest - 5) == saturated(WIDE[0])
    assert saturated(WIDE[0]) <= saturated(0.0)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    offset=st.floats(-5, 10),
    width=st.floats(0.05, 5),
    rate=st.floats(1e-6, 1e6),
)
def test_any_search(seed, offset, width, rate):
    rng = np.random.default_rng(seed)
    noise = KdeAndPolynomialBackground.from_arrays(rng.gumbel(size=1500), 1e6)
    weights = rng.uniform(size=1500)
    weights /= weights.sum() * 2
    signal = KdeForeground.from_arrays(
        rng.normal(offset, width, 1500), weights, 100.0, rate
    )
    model = Pastro(signal, noise)
    probability = model(WIDE)
    assert np.all((probability >= 0) & (probability <= 1))
    assert np.all(np.diff(probability) >= 0)


@settings(max_examples=50, deadline=None)
@given(
    factor=st.floats(1e-4, 1e4),
    at=st.lists(st.floats(-5, 6), min_size=1, max_size=5),
)
def test_odds_are_linear_in_the_rate(exponentials, factor, at):
    more = exponentials.at_rate(factor * 20)
    assert odds(more, np.array(at)) == pytest.approx(
        factor * odds(exponentials, np.array(at)), rel=1e-6
    )


@pytest.mark.filterwarnings("error")
def test_no_mergers(exponentials):
    at = np.concatenate([[-np.inf], WIDE, [np.inf]])
    assert exponentials.at_rate(0)(at).tolist() == [0.0] * at.size
    assert exponentials.at_rate(0)(np.inf) == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_is_calibrated(seed):
    """Of events with p_astro p, a part p is astrophysical."""
    rng = np.random.default_rng(seed)

    def events(noise, signals):
        return rng.gumbel(0, 0.5, noise), rng.gamma(3, 1, signals)

    quiet, loud = events(200_000, 20_000)
    model = Pastro(
        KdeForeground.from_arrays(
            loud, np.full(20_000, 1 / 50_000), 50.0, 1000.0
        ),
        KdeAndPolynomialBackground.from_arrays(quiet, SECONDS_IN_YEAR),
    )
    # As many as R V0 found and the background's rate give in a year.
    noise, signals = events(200_000, 20_000)
    given = np.concatenate([model(noise), model(signals)])
    true = np.repeat([0.0, 1.0], [noise.size, signals.size])
    which = np.digitize(given, np.linspace(0.1, 0.9, 9))
    for index in range(10):
        own = which == index
        size = np.count_nonzero(own)
        assert size > 100
        expected = given[own].mean()
        spread = np.sqrt(expected * (1 - expected) / size)
        # Odds are good to 10%, which is p (1 - p) / 10 in p.
        allowed = np.hypot(3 * spread, 0.1 * expected * (1 - expected) * 2)
        assert abs(true[own].mean() - expected) < allowed


@pytest.mark.parametrize("outlier", [30.0, 100.0, 1000.0, 1e5])
def test_one_loud_noise_event_moves_little(outlier):
    rng = np.random.default_rng(0)
    quiet = rng.normal(-4, 1, 100_000)
    signal = KdeForeground.from_arrays(
        rng.normal(4, 3, 20_000), np.full(20_000, 1e-5), 100.0, 50.0
    )
    alone, other = (
        Pastro(signal, KdeAndPolynomialBackground.from_arrays(noise, 3e6))
        for noise in (quiet, np.append(quiet, outlier))
    )
    at = np.linspace(-8, 1, 50)
    assert other(at) == pytest.approx(alone(at), abs=0.03)
    # One event in 34 units of statistic and a tenth of a year.
    assert other(4.0) > 0.98


def test_number_gives_a_number(exponentials):
    assert isinstance(exponentials(3), float)
    assert exponentials(np.ones((2, 3))).shape == (2, 3)
    assert exponentials([]).shape == (0,)
    assert exponentials(np.inf) == 1.0
    assert exponentials(-np.inf) == 0.0


def test_nan(exponentials):
    with pytest.raises(UserError, match="1 of 1 detection statistics are NaN"):
        exponentials(np.nan)


def test_expected_number_of_signals(exponentials):
    # Of events drawn from f + b, p_astro counts those of f.
    rng = np.random.default_rng(7)
    events = np.concatenate(
        [rng.exponential(2, 3000), rng.exponential(0.5, 20_000_0)]
    )
    total = exponentials.at_rate(2000)(events).sum()
    assert total == pytest.approx(3000, rel=0.1)


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=20),
    st.integers(0, 19),
)
def test_rising(values, anchor):
    values = np.array(values, dtype=float)
    anchor = min(anchor, values.size - 1)
    result = _rising(values, anchor)
    expected = [
        values[i : anchor + 1].min()
        if i <= anchor
        else values[anchor : i + 1].max()
        for i in range(values.size)
    ]
    assert result.tolist() == expected
