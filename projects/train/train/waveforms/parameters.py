"""Conversions of binaries' parameters, and constraints on them.

A conversion takes parameters by name and returns those that it adds or
replaces. A constraint tells which binaries to keep. Either may be any
function of this form; the configuration names it.
"""

import torch
from torch import Tensor

Parameters = dict[str, Tensor]


def component_masses(parameters: Parameters) -> Parameters:
    """Masses from ``chirp_mass`` and ``mass_ratio`` = m2/m1 <= 1.

    Args:
        parameters: with both, of shape ``(N,)``.

    Returns:
        ``mass_1`` and ``mass_2``, in the unit and frame of the chirp mass.
    """
    ratio = parameters["mass_ratio"]
    mass_1 = parameters["chirp_mass"] * (1 + ratio) ** 0.2 / ratio**0.6
    return {"mass_1": mass_1, "mass_2": mass_1 * ratio}


class LighterMass:
    """Power law of the lighter mass, between a limit and ``mass_1``.

    Args:
        minimum: smallest mass, in the unit and frame of ``mass_1``.
        index: of the power law, not -1.
    """

    def __init__(self, minimum: float, index: float) -> None:
        self.minimum = minimum
        self.power = index + 1

    def __call__(self, parameters: Parameters) -> Parameters:
        """Invert the cumulative distribution.

        Args:
            parameters: with ``mass_1`` and ``quantile``, uniform in [0, 1].

        Returns:
            ``mass_2``.
        """
        low = self.minimum**self.power
        high = parameters["mass_1"] ** self.power
        edge = low + parameters["quantile"] * (high - low)
        return {"mass_2": edge ** (1 / self.power)}


def detector_frame(parameters: Parameters) -> Parameters:
    """Redshift masses from the source to the detector frame.

    Args:
        parameters: with ``mass_1``, ``mass_2`` and ``redshift``.

    Returns:
        ``mass_1`` and ``mass_2``, multiplied by 1 + z.
    """
    factor = 1 + parameters["redshift"]
    return {k: parameters[k] * factor for k in ("mass_1", "mass_2")}


def aligned_spins(parameters: Parameters) -> Parameters:
    """Components of the spins along the orbital angular momentum.

    Args:
        parameters: with magnitudes ``a_1``, ``a_2`` and angles ``tilt_1``,
            ``tilt_2`` in rad.

    Returns:
        ``chi_1`` and ``chi_2``.
    """
    return {
        f"chi_{i}": parameters[f"a_{i}"] * torch.cos(parameters[f"tilt_{i}"])
        for i in (1, 2)
    }


def ordered_masses(parameters: Parameters) -> Tensor:
    """Keep binaries with ``mass_1 >= mass_2``."""
    return parameters["mass_1"] >= parameters["mass_2"]


class Within:
    """Keep binaries with a parameter in a range.

    Args:
        name: of the parameter.
        minimum: smallest value kept.
        maximum: largest value kept.
    """

    def __init__(self, name: str, minimum: float, maximum: float) -> None:
        self.name = name
        self.minimum = minimum
        self.maximum = maximum

    def __call__(self, parameters: Parameters) -> Tensor:
        """Whether each binary is in the range."""
        value = parameters[self.name]
        return (value >= self.minimum) & (value <= self.maximum)
