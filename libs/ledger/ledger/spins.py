"""Spins as angles (bilby) and as components (LAL), row by row with LAL."""

from typing import TYPE_CHECKING

import numpy as np
from conventions.errors import UserError

if TYPE_CHECKING:
    from ledger.parameters import BilbyParameterSet, LALParameterSet

# Solar mass in kg, LAL's MSUN_SI.
SOLAR_MASS_KG = 1.988409902147041637325262574352366540e30

_ANGLES = ("theta_jn", "phi_jl", "tilt_1", "tilt_2", "phi_12", "a_1", "a_2")
_COMPONENTS = tuple(f"spin{i}{x}" for i in "12" for x in "xyz")


def to_cartesian(
    parameters: "BilbyParameterSet", reference_frequency: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Convert with XLALSimInspiralTransformPrecessingNewInitialConditions.

    Args:
        parameters: binaries in bilby's convention.
        reference_frequency: Hz, where the spins are given.

    Returns:
        Inclination in rad, shape (row,); spin 1 and spin 2, dimensionless,
        each of shape (3, row).

    Raises:
        UserError: if LAL rejects a row.
    """
    from lalsimulation import (
        SimInspiralTransformPrecessingNewInitialConditions as transform,
    )

    rows = [getattr(parameters, name) for name in _ANGLES]
    rows += [
        parameters.mass_1 * SOLAR_MASS_KG,
        parameters.mass_2 * SOLAR_MASS_KG,
        np.full(len(parameters), reference_frequency),
        parameters.phase,
    ]
    values = _each_row(transform, rows, 7)
    return values[0], values[1:4], values[4:7]


def to_angles(
    parameters: "LALParameterSet", reference_frequency: float
) -> dict[str, np.ndarray]:
    """Convert with XLALSimInspiralTransformPrecessingWvf2PE.

    Args:
        parameters: binaries in LAL's convention.
        reference_frequency: Hz, where the spins are given.

    Returns:
        ``theta_jn``, ``phi_jl``, ``tilt_1``, ``tilt_2``, ``phi_12`` in rad
        and ``a_1``, ``a_2``, each of shape (row,); the tilt of a body
        without spin is 0.

    Raises:
        UserError: if LAL rejects a row.
    """
    from lalsimulation import (
        SimInspiralTransformPrecessingWvf2PE as transform,
    )

    names = ("inclination", *_COMPONENTS, "mass1", "mass2")
    rows = [getattr(parameters, name) for name in names]
    rows += [np.full(len(parameters), reference_frequency), parameters.phase]
    values = dict(zip(_ANGLES, _each_row(transform, rows, 7), strict=True))
    values["tilt_1"][values["a_1"] == 0] = 0
    values["tilt_2"][values["a_2"] == 0] = 0
    return values


def _each_row(
    transform: object, columns: list[np.ndarray], outputs: int
) -> np.ndarray:
    values = np.zeros((outputs, len(columns[0])))
    for row, arguments in enumerate(zip(*columns, strict=True)):
        try:
            values[:, row] = transform(*map(float, arguments))
        except RuntimeError as error:
            raise UserError(
                f"row {row}: LAL cannot convert the spins ({error}) with "
                f"{', '.join(f'{value:g}' for value in arguments)}"
            ) from error
    return values
