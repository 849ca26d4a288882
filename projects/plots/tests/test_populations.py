import numpy as np
import pytest
from conventions.errors import UserError
from plots.populations import POPULATIONS, Population


@pytest.mark.parametrize("population", POPULATIONS, ids=lambda p: p.name)
def test_density_is_normalised_over_ordered_masses(population):
    grid = np.exp(np.linspace(np.log(3), np.log(120), 801))
    first, second = np.meshgrid(grid, grid, indexing="ij")
    ordered = first > second
    density = np.zeros(first.shape)
    density[ordered] = np.exp(
        population.log_density(first[ordered], second[ordered])
    )
    integral = np.trapezoid(
        np.trapezoid(density * second, np.log(grid)) * grid, np.log(grid)
    )
    assert integral == pytest.approx(1, abs=0.03)


def test_unordered_masses_have_no_density():
    logs = Population(35, 20).log_density(np.array([20.0]), np.array([35.0]))
    assert np.isneginf(logs).all()


def test_samples_are_ordered_and_reproducible():
    population = Population(35, 35)
    first, second = population.sample(4000, seed=1)
    assert (first >= second).all()
    np.testing.assert_array_equal(population.sample(4000, seed=1)[0], first)
    logs = np.log(np.concatenate([first, second]) / 35)
    assert logs.mean() == pytest.approx(0, abs=5 * 0.1 / np.sqrt(8000))
    assert logs.std() == pytest.approx(0.1, rel=0.05)


def test_names():
    assert [p.name for p in POPULATIONS] == [
        "35-35",
        "35-20",
        "20-20",
        "20-10",
    ]


@pytest.mark.parametrize("masses", [(20, 35), (35, 0), (-1, -2)])
def test_bad_masses(masses):
    with pytest.raises(UserError, match="heavier first"):
        Population(*masses)


def test_bad_width():
    with pytest.raises(UserError, match="width 0"):
        Population(35, 20, 0)
