import math

import pytest
from conventions.errors import UserError
from train.tune import space

FULL = {
    "model.learning_rate": {"loguniform": [1e-4, 1e-2]},
    "data.swap_frac": {"uniform": [0, 0.5]},
    "model.arch.kernel_size": {"choice": [3, 5, 7]},
    "data.num_valid_views": {"randint": [2, 5]},
}


def test_draws_are_within_their_bounds_and_fill_them():
    draws = space.draw(space.parse(FULL), 2000, seed=3)
    assert all(list(values) == list(FULL) for values in draws)
    rates = [values["model.learning_rate"] for values in draws]
    assert 1e-4 <= min(rates) < 1.1e-4
    assert 0.9e-2 < max(rates) <= 1e-2
    below = sum(rate < 1e-3 for rate in rates)  # half of the logarithm
    assert abs(below - 1000) < 5 * math.sqrt(500)
    fractions = [values["data.swap_frac"] for values in draws]
    assert 0 <= min(fractions) < 0.01 < 0.49 < max(fractions) <= 0.5
    for name, allowed in (
        ("model.arch.kernel_size", {3, 5, 7}),
        ("data.num_valid_views", {2, 3, 4, 5}),
    ):
        assert {values[name] for values in draws} == allowed


def test_a_trial_depends_on_seed_and_number_alone():
    distributions = space.parse(FULL)
    few = space.draw(distributions, 3, seed=1)
    many = space.draw(distributions, 5, seed=1)
    assert many[:3] == few
    assert len({str(values) for values in many}) == 5
    assert space.draw(distributions, 3, seed=2) != few


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "is no distribution"),
        (0.1, "0.1 is no distribution"),
        ({"normal": [0, 1]}, "accepted are choice, uniform"),
        ({"uniform": [0, 1], "choice": [1]}, "is no distribution"),
        ({"choice": []}, "the list is empty"),
        ({"choice": "abc"}, "'abc' is not a list"),
        ({"uniform": [1, 0]}, "two numbers, the smaller one first"),
        ({"uniform": [0, 1, 2]}, "two numbers"),
        ({"uniform": [0, "x"]}, "two numbers"),
        ({"uniform": [0, True]}, "two numbers"),
        ({"uniform": [0, math.inf]}, "two numbers"),
        ({"randint": [0, 1.5]}, "two whole numbers"),
        ({"loguniform": [0, 1]}, "0 is not above 0"),
    ],
)
def test_an_entry_that_is_none_is_named(entry, message):
    with pytest.raises(UserError, match=r"tune\.space: data\.x: ") as caught:
        space.parse({"data.x": entry})
    assert message in str(caught.value)


@pytest.mark.parametrize("empty", [{}, None, []])
def test_a_search_of_nothing_is_refused(empty):
    with pytest.raises(UserError, match="there is nothing to search"):
        space.parse(empty)
