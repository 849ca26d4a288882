import numpy as np
import pytest
from conventions.errors import UserError
from ledger.events import SECONDS_IN_YEAR, EventSet
from p_astro.background import KdeAndPolynomialBackground
from p_astro.samples import FitError


def noise(size=5000):
    return np.random.default_rng(0).gumbel(size=size)


def test_integral_is_the_rate_of_events(make_events):
    model = KdeAndPolynomialBackground(
        make_events(noise(), SECONDS_IN_YEAR / 10)
    )
    assert model.total_rate == pytest.approx(50_000)
    body = np.linspace(-15, model.split, 100_001)
    tail = np.linspace(model.split, 40, 100_001)
    total = sum(np.trapezoid(model(at), at) for at in (body, tail))
    assert total == pytest.approx(50_000, rel=1e-4)


def test_rate_of_the_tail_is_that_of_its_events(make_events):
    statistics = noise(100_000)
    model = KdeAndPolynomialBackground(
        make_events(statistics, SECONDS_IN_YEAR)
    )
    for threshold in (model.split, model.split + 1):
        count = np.count_nonzero(statistics >= threshold)
        rate = model(threshold) / model.density.decay
        assert rate == pytest.approx(count, rel=3 / np.sqrt(count) + 0.1)


def test_longer_search_has_the_same_rate(make_events):
    statistics = noise()
    one = KdeAndPolynomialBackground(make_events(statistics, 1e6))
    two = KdeAndPolynomialBackground(make_events(statistics, 2e6))
    at = np.linspace(-2, 30, 100)
    np.testing.assert_array_equal(one(at), 2 * two(at))


def test_number_gives_a_number(make_events):
    model = KdeAndPolynomialBackground(make_events(noise(), 1e6))
    assert isinstance(model(1), float)
    assert model(np.ones((2, 3))).shape == (2, 3)
    assert model([]).shape == (0,)
    assert model([-np.inf, np.inf]).tolist() == [0, 0]


def test_plain_numbers(make_events):
    statistics = noise()
    table = KdeAndPolynomialBackground(make_events(statistics, 1e6))
    plain = KdeAndPolynomialBackground.from_arrays(statistics, 1e6)
    at = np.linspace(-2, 10, 50)
    np.testing.assert_array_equal(table(at), plain(at))
    assert (plain.count, plain.livetime) == (5000, 1e6)


def test_no_events():
    empty = EventSet(
        detection_statistic=np.zeros(0),
        detection_time=np.zeros(0),
        shift=np.zeros((0, 2)),
        Tb=1e6,
    )
    with pytest.raises(FitError, match="the background: 0 detection"):
        KdeAndPolynomialBackground(empty)


@pytest.mark.parametrize("livetime", [0.0, -1.0, np.nan, np.inf])
def test_bad_livetime(livetime):
    with pytest.raises(UserError, match="livetime of"):
        KdeAndPolynomialBackground.from_arrays(noise(), livetime)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_statistics_that_are_no_numbers(bad):
    statistics = noise()
    statistics[:3] = bad
    with pytest.raises(UserError, match=r"3 of 5000 .* not finite"):
        KdeAndPolynomialBackground.from_arrays(statistics, 1e6)


def test_statistics_of_two_dimensions():
    with pytest.raises(UserError, match=r"shape \(50, 100\)"):
        KdeAndPolynomialBackground.from_arrays(noise().reshape(50, 100), 1e6)


def test_nan_query(make_events):
    model = KdeAndPolynomialBackground(make_events(noise(), 1e6))
    with pytest.raises(UserError, match="1 of 2 detection statistics are NaN"):
        model([1, np.nan])
