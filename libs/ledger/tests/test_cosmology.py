import numpy as np
import pytest
from conventions.errors import UserError

from ledger.cosmology import luminosity_distance, redshift

REDSHIFTS = np.array([1e-8, 1e-3, 0.1, 0.5, 1.0, 3.0, 10.0, 20.0])


def test_distance_against_astropy():
    from astropy.cosmology import Planck15

    np.testing.assert_allclose(
        luminosity_distance(REDSHIFTS),
        Planck15.luminosity_distance(REDSHIFTS).value,
        rtol=1e-10,
    )
    assert luminosity_distance(0.0) == 0


def test_distance_of_many_equals_one_by_one(rng):
    z = rng.uniform(0, 2, 40_000)
    many = luminosity_distance(z)
    for row in (0, 32_767, 32_768, 39_999):
        assert many[row] == pytest.approx(luminosity_distance(z[row]))


def test_redshift_is_the_inverse():
    found = redshift(luminosity_distance(REDSHIFTS))
    np.testing.assert_allclose(found, REDSHIFTS, rtol=1e-11)
    assert redshift(np.array([0.0])) == 0
    assert redshift(6701.0).shape == ()


def test_empty_and_shaped():
    assert luminosity_distance(np.array([])).shape == (0,)
    assert redshift(np.array([])).shape == (0,)
    assert redshift(np.ones((2, 3))).shape == (2, 3)


@pytest.mark.parametrize("bad", [-0.1, np.nan])
def test_bad_redshift(bad):
    with pytest.raises(UserError, match=f"redshift {bad}"):
        luminosity_distance(np.array([0.1, bad]))


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_bad_distance(bad):
    with pytest.raises(UserError, match="negative or not finite"):
        redshift(np.array([10.0, bad]))
