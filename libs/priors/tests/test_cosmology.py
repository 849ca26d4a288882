import itertools

import numpy as np
import pytest
from astropy import units
from astropy.cosmology import Planck15
from conventions.errors import UserError
from priors.cosmology import astrophysical_volume, solid_angle
from scipy.integrate import quad


@pytest.mark.parametrize(("low", "high"), [(0, 2), (0, 0.15), (0.3, 6)])
def test_volume_equals_adaptive_quadrature(low, high):
    def density(z):
        volume = Planck15.differential_comoving_volume(z)
        return volume.to_value(units.Gpc**3 / units.sr) / (1 + z)

    expected, _ = quad(density, low, high, epsabs=0, epsrel=1e-9)
    volume = astrophysical_volume(low, high)
    assert volume == pytest.approx(4 * np.pi * expected, rel=1e-8)


def test_volume_at_low_redshift_is_the_comoving_sphere():
    radius = Planck15.comoving_distance(1e-4).to_value("Gpc")
    volume = astrophysical_volume(0, 1e-4)
    assert volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=1e-4)


def test_solid_angle_of_bands_adds_to_the_sphere():
    edges = [-np.pi / 2, -0.3, 0.8, np.pi / 2]
    bands = [solid_angle(low, high) for low, high in itertools.pairwise(edges)]
    assert sum(bands) == pytest.approx(4 * np.pi)
    assert astrophysical_volume(0, 1, -0.3, 0.8) == pytest.approx(
        astrophysical_volume(0, 1) * bands[1] / (4 * np.pi)
    )


@pytest.mark.parametrize("limits", [(1, 1), (-0.1, 1), (2, 1)])
def test_bad_redshifts(limits):
    with pytest.raises(UserError, match="redshifts from"):
        astrophysical_volume(*limits)


@pytest.mark.parametrize("limits", [(0.1, 0.1), (-2, 0), (0, 2)])
def test_bad_declinations(limits):
    with pytest.raises(UserError, match="declinations from"):
        astrophysical_volume(0, 1, *limits)
