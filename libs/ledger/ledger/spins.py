"""Spins as angles (bilby) and as components (LAL), for arrays.

The conventions are those of lalsimulation's
``SimInspiralTransformPrecessingNewInitialConditions`` and
``SimInspiralTransformPrecessingWvf2PE``. They are written out here because
LAL takes one binary at a time and loses half of the digits of small angles
to arc cosines.

In the frame of LAL the orbital angular momentum L is along z and the line
of sight N has the azimuth pi/2 - phase. J = L + S1 + S2 has the azimuth
phi_0 and the polar angle theta_0; with the spherical unit vectors theta^
and phi^ at J,

    N = cos(theta_jn) J^ - sin(theta_jn) (sin(phi_jl) theta^
        + cos(phi_jl) phi^).
"""

import numpy as np

# Solar mass in seconds, LAL's MTSUN_SI.
_SOLAR_MASS_S = 4.925490947641266978197229498498379006e-6

Vector = tuple[np.ndarray, np.ndarray, np.ndarray]


def to_cartesian(
    *,
    theta_jn: np.ndarray,
    phi_jl: np.ndarray,
    tilt_1: np.ndarray,
    tilt_2: np.ndarray,
    phi_12: np.ndarray,
    a_1: np.ndarray,
    a_2: np.ndarray,
    mass_1: np.ndarray,
    mass_2: np.ndarray,
    phase: np.ndarray,
    reference_frequency: float,
) -> tuple[np.ndarray, Vector, Vector]:
    """Convert bilby's angles to LAL's components; arrays of shape (row,).

    Args:
        theta_jn: angle between J and N, rad.
        phi_jl: azimuth of L about J, rad.
        tilt_1: angle between spin 1 and L, rad.
        tilt_2: angle between spin 2 and L, rad.
        phi_12: azimuth from spin 1 to spin 2, rad.
        a_1: dimensionless magnitude of spin 1.
        a_2: dimensionless magnitude of spin 2.
        mass_1: detector-frame mass in solar masses.
        mass_2: detector-frame mass in solar masses.
        phase: phase at the reference frequency, rad.
        reference_frequency: Hz.

    Returns:
        The inclination in rad, and the components x, y, z of spin 1 and of
        spin 2, dimensionless.
    """
    spin_1 = _spherical(a_1, tilt_1, np.zeros_like(tilt_1))
    spin_2 = _spherical(a_2, tilt_2, phi_12)
    axis, polar, azimuthal = _total_momentum(
        spin_1, spin_2, mass_1, mass_2, reference_frequency
    )
    along = np.cos(theta_jn)
    south = -np.sin(theta_jn) * np.sin(phi_jl)
    east = -np.sin(theta_jn) * np.cos(phi_jl)
    sight = tuple(
        along * j + south * t + east * p
        for j, t, p in zip(axis, polar, azimuthal, strict=True)
    )
    inclination = np.arctan2(np.hypot(sight[0], sight[1]), sight[2])
    turn = np.pi / 2 - phase - np.arctan2(sight[1], sight[0])
    return (
        inclination,
        _spherical(a_1, tilt_1, turn),
        _spherical(a_2, tilt_2, turn + phi_12),
    )


def to_angles(
    *,
    inclination: np.ndarray,
    spin_1: Vector,
    spin_2: Vector,
    mass_1: np.ndarray,
    mass_2: np.ndarray,
    phase: np.ndarray,
    reference_frequency: float,
) -> dict[str, np.ndarray]:
    """Convert LAL's components to bilby's angles; arrays of shape (row,).

    Args:
        inclination: angle between L and N, rad.
        spin_1: components x, y, z, dimensionless.
        spin_2: components x, y, z, dimensionless.
        mass_1: detector-frame mass in solar masses.
        mass_2: detector-frame mass in solar masses.
        phase: phase at the reference frequency, rad.
        reference_frequency: Hz.

    Returns:
        ``theta_jn``, ``phi_jl``, ``tilt_1``, ``tilt_2``, ``phi_12`` in rad
        and ``a_1``, ``a_2``. The azimuths are in [0, 2 pi); phi_12 means
        nothing when a spin is along L, nor phi_jl when both are. A body
        without spin has tilt 0.
    """
    axis, polar, azimuthal = _total_momentum(
        spin_1, spin_2, mass_1, mass_2, reference_frequency
    )
    sight = _spherical(
        np.ones_like(inclination), inclination, np.pi / 2 - phase
    )
    along, south, east = (
        sum(n * u for n, u in zip(sight, unit, strict=True))
        for unit in (axis, polar, azimuthal)
    )
    azimuth_1, azimuth_2 = (
        np.arctan2(spin[1], spin[0]) for spin in (spin_1, spin_2)
    )
    return {
        "theta_jn": np.arctan2(np.hypot(south, east), along),
        "phi_jl": np.arctan2(-south, -east) % (2 * np.pi),
        "tilt_1": _tilt(spin_1),
        "tilt_2": _tilt(spin_2),
        "phi_12": (azimuth_2 - azimuth_1) % (2 * np.pi),
        "a_1": np.sqrt(sum(x**2 for x in spin_1)),
        "a_2": np.sqrt(sum(x**2 for x in spin_2)),
    }


def _tilt(spin: Vector) -> np.ndarray:
    x, y, z = spin
    # Adding 0 turns -0, whose angle would be pi, into 0.
    return np.arctan2(np.hypot(x, y), z + 0.0)


def _spherical(
    length: np.ndarray, polar: np.ndarray, azimuth: np.ndarray
) -> Vector:
    level = length * np.sin(polar)
    return (
        level * np.cos(azimuth),
        level * np.sin(azimuth),
        length * np.cos(polar),
    )


def _total_momentum(
    spin_1: Vector,
    spin_2: Vector,
    mass_1: np.ndarray,
    mass_2: np.ndarray,
    reference_frequency: float,
) -> tuple[Vector, Vector, Vector]:
    """Give the unit vector along J and the spherical ones beside it.

    |L| = M^2 eta / v (1 + (3/2 + eta/6) v^2) with v^3 = pi M f, as LAL.
    """
    total = mass_1 + mass_2
    eta = mass_1 * mass_2 / total**2
    v = np.cbrt(np.pi * total * _SOLAR_MASS_S * reference_frequency)
    orbital = total**2 * eta / v * (1 + (1.5 + eta / 6) * v**2)
    x, y, z = (
        mass_1**2 * one + mass_2**2 * two
        for one, two in zip(spin_1, spin_2, strict=True)
    )
    theta = np.arctan2(np.hypot(x, y), z + orbital)
    phi = np.arctan2(y, x)
    one = np.ones_like(theta)
    return (
        _spherical(one, theta, phi),
        _spherical(one, theta + np.pi / 2, phi),
        _spherical(one, one * np.pi / 2, phi + np.pi / 2),
    )
