"""Populations of compact binaries.

Each function returns a bilby prior and whether its masses are those of the
detector frame (True) or of the source frame (False). Parameters have
bilby's names and conventions: masses in solar masses, angles in rad.

The ranges of ``nonspin_bbh``, ``spin_bbh`` and the rates-and-populations
priors are those of the public aframe; ``end_o3_ratesandpops`` follows the
injection campaign of LIGO, Virgo and KAGRA at the end of the third
observing run (doi:10.5281/zenodo.5546676).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.cosmology import Cosmology
from bilby.core.prior import (
    ConditionalPowerLaw,
    ConditionalPriorDict,
    ConditionalUniform,
    Cosine,
    LogNormal,
    PowerLaw,
    Prior,
    Sine,
    Triangular,
    TruncatedGaussian,
    Uniform,
)
from bilby.gw.prior import UniformComovingVolume, UniformSourceFrame

from priors.cosmology import COSMOLOGY
from priors.loading import Population
from priors.ordered import OrderedMassesPriorDict

SOLAR_MASS = r"$M_\odot$"
FULL_CIRCLE = 2 * np.pi
EXTREME_SPIN = 0.998


def nonspin_bbh(
    cosmology: Cosmology = COSMOLOGY,
    minimum_mass: float = 5,
    maximum_mass: float = 100,
) -> Population:
    """Black holes without spin, uniform in detector-frame masses.

    Masses with mass_1 >= mass_2, uniform in comoving volume and
    source-frame time to redshift 0.5.

    Args:
        cosmology: astropy cosmology of the redshift distribution.
        minimum_mass: smallest mass in solar masses.
        maximum_mass: largest mass in solar masses.

    Returns:
        The prior, and True: masses are those of the detector frame.
    """
    spins = dict.fromkeys(
        ("a_1", "a_2", "tilt_1", "tilt_2", "phi_12", "phi_jl"), 0.0
    )
    prior = OrderedMassesPriorDict(
        _uniform_masses(minimum_mass, maximum_mass)
        | _orientation()
        | {"psi": 0.0}
        | spins
    )
    prior["redshift"] = _source_frame_redshift(0.5, cosmology)
    return prior, True


def spin_bbh(cosmology: Cosmology = COSMOLOGY) -> Population:
    """Spinning black holes, uniform in detector-frame masses.

    As :func:`nonspin_bbh`, with spin magnitudes uniform up to 0.998 and
    isotropic tilts; the azimuths of the spins are zero.

    Args:
        cosmology: astropy cosmology of the redshift distribution.

    Returns:
        The prior, and True: masses are those of the detector frame.
    """
    prior = OrderedMassesPriorDict(
        _uniform_masses(5, 100)
        | _orientation()
        | {"psi": 0.0}
        | _isotropic_spins(EXTREME_SPIN)
        | {"phi_12": 0.0, "phi_jl": 0.0}
    )
    prior["redshift"] = _source_frame_redshift(0.5, cosmology)
    return prior, True


def end_o3_ratesandpops(cosmology: Cosmology = COSMOLOGY) -> Population:
    """Black holes as injected at the end of O3, in source-frame masses.

    mass_1 follows a power law of index -2.35 from 5 to 100 solar masses,
    mass_2 one of index 1 from 5 solar masses to mass_1; spins are
    isotropic, and sources uniform in comoving volume to redshift 2.

    Args:
        cosmology: astropy cosmology of the redshift distribution.

    Returns:
        The prior, and False: masses are those of the source frame.
    """
    prior = ConditionalPriorDict(_isotropic_binary(EXTREME_SPIN))
    prior["mass_1"] = PowerLaw(
        alpha=-2.35, minimum=5, maximum=100, name="mass_1", unit=SOLAR_MASS
    )
    prior["mass_2"] = ConditionalPowerLaw(
        condition_func=_power_law_below_mass_1,
        alpha=1,
        minimum=5,
        maximum=100,
        name="mass_2",
        unit=SOLAR_MASS,
    )
    prior["redshift"] = UniformComovingVolume(
        0, 2, name="redshift", cosmology=cosmology
    )
    return prior, False


def end_o3_ratesandpops_bns(cosmology: Cosmology = COSMOLOGY) -> Population:
    """Neutron stars as injected at the end of O3, in source-frame masses.

    Component masses uniform in the (mass_1 >= mass_2) plane from 1 to 2.5
    solar masses, spins isotropic with magnitudes up to 0.4, uniform in
    comoving volume and source-frame time to redshift 0.15.

    Args:
        cosmology: astropy cosmology of the redshift distribution.

    Returns:
        The prior, and False: masses are those of the source frame.
    """
    prior = ConditionalPriorDict(_isotropic_binary(0.4))
    prior["mass_1"] = Triangular(
        mode=2.5, minimum=1, maximum=2.5, name="mass_1", unit=SOLAR_MASS
    )
    prior["mass_2"] = ConditionalUniform(
        condition_func=_uniform_below_mass_1,
        minimum=1,
        maximum=2.5,
        name="mass_2",
        unit=SOLAR_MASS,
    )
    prior["redshift"] = _source_frame_redshift(0.15, cosmology)
    return prior, False


def gaussian_masses(
    m1: float,
    m2: float,
    sigma: float = 2,
    cosmology: Cosmology = COSMOLOGY,
) -> Population:
    """Target population with Gaussian source-frame masses.

    Positive masses with mass_1 >= mass_2, uniform in comoving volume and
    source-frame time to redshift 2 and over the sky. Parameters that a
    population weight does not depend on (spins, orientation) are left out.

    Args:
        m1: mean of the heavier mass in solar masses.
        m2: mean of the lighter mass in solar masses.
        sigma: standard deviation of each mass in solar masses.
        cosmology: astropy cosmology of the redshift distribution.

    Returns:
        The prior, and False: masses are those of the source frame.
    """
    return _target(
        TruncatedGaussian(m1, sigma, 0, np.inf, name="mass_1"),
        TruncatedGaussian(m2, sigma, 0, np.inf, name="mass_2"),
        cosmology,
    )


def log_normal_masses(
    m1: float,
    m2: float,
    sigma: float = 0.1,
    cosmology: Cosmology = COSMOLOGY,
) -> Population:
    """Target population with log-normal source-frame masses.

    As :func:`gaussian_masses`, with Gaussian logarithms of the masses.

    Args:
        m1: median of the heavier mass in solar masses.
        m2: median of the lighter mass in solar masses.
        sigma: standard deviation of the natural logarithm of each mass.
        cosmology: astropy cosmology of the redshift distribution.

    Returns:
        The prior, and False: masses are those of the source frame.
    """
    return _target(
        LogNormal(np.log(m1), sigma, name="mass_1"),
        LogNormal(np.log(m2), sigma, name="mass_2"),
        cosmology,
    )


def _target(mass_1: Prior, mass_2: Prior, cosmology: Cosmology) -> Population:
    prior = OrderedMassesPriorDict(
        {"mass_1": mass_1, "mass_2": mass_2} | _sky()
    )
    prior["redshift"] = _source_frame_redshift(2, cosmology)
    return prior, False


def _sky() -> dict[str, Prior]:
    return {
        "dec": Cosine(name="dec"),
        "ra": Uniform(0, FULL_CIRCLE, name="ra", boundary="periodic"),
    }


def _orientation() -> dict[str, Prior]:
    return _sky() | {
        "theta_jn": Sine(name="theta_jn"),
        "phase": Uniform(0, FULL_CIRCLE, name="phase", boundary="periodic"),
    }


def _isotropic_spins(maximum: float) -> dict[str, Prior]:
    return {
        "a_1": Uniform(0, maximum, name="a_1"),
        "a_2": Uniform(0, maximum, name="a_2"),
        "tilt_1": Sine(name="tilt_1"),
        "tilt_2": Sine(name="tilt_2"),
        "phi_12": Uniform(0, FULL_CIRCLE, name="phi_12", boundary="periodic"),
        "phi_jl": Uniform(0, FULL_CIRCLE, name="phi_jl", boundary="periodic"),
    }


def _isotropic_binary(maximum_spin: float) -> dict[str, Prior]:
    polarization = Uniform(0, np.pi, name="psi", boundary="periodic")
    return (
        _orientation() | {"psi": polarization} | _isotropic_spins(maximum_spin)
    )


def _uniform_masses(minimum: float, maximum: float) -> dict[str, Prior]:
    return {
        mass: Uniform(minimum, maximum, name=mass, unit=SOLAR_MASS)
        for mass in ("mass_1", "mass_2")
    }


def _source_frame_redshift(maximum: float, cosmology: Cosmology) -> Prior:
    return UniformSourceFrame(0, maximum, name="redshift", cosmology=cosmology)


def _power_law_below_mass_1(
    reference: Mapping[str, Any], mass_1: np.ndarray
) -> dict[str, Any]:
    return {
        "alpha": reference["alpha"],
        "minimum": reference["minimum"],
        "maximum": mass_1,
    }


def _uniform_below_mass_1(
    reference: Mapping[str, Any], mass_1: np.ndarray
) -> dict[str, Any]:
    return {"minimum": reference["minimum"], "maximum": mass_1}
