"""The cosmology of every prior and volume: astropy's Planck15."""

import numpy as np
from astropy.cosmology import Planck15
from conventions.errors import UserError

COSMOLOGY = Planck15
CUBIC_MPC_PER_CUBIC_GPC = 1e9
NODES = 128


def solid_angle(dec_min: float, dec_max: float) -> float:
    """Solid angle between two declinations, over all right ascensions.

    Args:
        dec_min: lower declination in rad.
        dec_max: upper declination in rad.

    Returns:
        Solid angle in sr: 2 pi (sin dec_max - sin dec_min).

    Raises:
        UserError: unless -pi/2 <= dec_min < dec_max <= pi/2.
    """
    if not -np.pi / 2 <= dec_min < dec_max <= np.pi / 2:
        raise UserError(
            f"declinations from {dec_min} to {dec_max} rad; accepted: "
            "-pi/2 <= dec_min < dec_max <= pi/2"
        )
    return float(2 * np.pi * (np.sin(dec_max) - np.sin(dec_min)))


def astrophysical_volume(
    z_min: float,
    z_max: float,
    dec_min: float = -np.pi / 2,
    dec_max: float = np.pi / 2,
) -> float:
    """Time-dilated comoving volume, V0 of the sensitive volume.

    The integral of dVc/dz / (1 + z) over the redshifts times the solid
    angle, so that V0 times an observing time on Earth times a merger rate
    per comoving volume and source-frame time is a number of mergers. The
    integrand is smooth; Gauss-Legendre quadrature with 128 nodes is exact
    to double precision.

    Args:
        z_min: lowest redshift.
        z_max: highest redshift.
        dec_min: lower declination in rad.
        dec_max: upper declination in rad.

    Returns:
        Volume in Gpc^3.

    Raises:
        UserError: if the redshifts or declinations are not increasing or
            lie outside their range.
    """
    if not 0 <= z_min < z_max:
        raise UserError(
            f"redshifts from {z_min} to {z_max}; accepted: 0 <= z_min < z_max"
        )
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    half = (z_max - z_min) / 2
    z = z_min + half * (nodes + 1)
    density = COSMOLOGY.differential_comoving_volume(z).to_value("Mpc3 / sr")
    integral = half * np.sum(weights * density / (1 + z))
    return float(
        integral * solid_angle(dec_min, dec_max) / CUBIC_MPC_PER_CUBIC_GPC
    )
