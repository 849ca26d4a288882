"""Polarizations to the strain of each interferometer."""

from collections.abc import Sequence

import numpy as np
import torch
from conventions.errors import UserError
from ledger.injections import BilbyParameterSet
from ml4gw.gw import (
    compute_antenna_responses,
    compute_observed_strain,
    get_ifo_geometry,
)


def geometry(ifos: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Detector tensors and vertices of some interferometers.

    Args:
        ifos: names, for example ``("H1", "L1")``.

    Returns:
        Tensors of shape (ifo, 3, 3) and vertices in m of shape (ifo, 3),
        float64.

    Raises:
        UserError: if an interferometer is unknown or none is given.
    """
    if not ifos:
        raise UserError("ifos is empty; at least one is needed")
    try:
        tensors, vertices = get_ifo_geometry(*ifos)
    except ValueError as error:
        raise UserError(
            f"ifos {list(ifos)}: {error}; accepted: H1, L1, V1, K1"
        ) from None
    return tensors.double(), vertices.double()


def antenna_patterns(
    parameters: BilbyParameterSet, ifos: Sequence[str]
) -> np.ndarray:
    """Response of each interferometer to each polarization.

    ``ra`` is used as the azimuth in an Earth-fixed frame: no sidereal
    rotation is applied.

    Args:
        parameters: N binaries with ``ra``, ``dec`` and ``psi`` in rad.
        ifos: names of the interferometers.

    Returns:
        Factors of plus and cross, shape (N, 2, ifo).
    """
    tensors, _ = geometry(ifos)
    ra, dec, psi = _sky(parameters)
    return compute_antenna_responses(
        torch.pi / 2 - dec, psi, ra, tensors, ["plus", "cross"]
    ).numpy()


def detector_responses(
    plus: np.ndarray,
    cross: np.ndarray,
    parameters: BilbyParameterSet,
    ifos: Sequence[str],
    sample_rate: float,
) -> np.ndarray:
    """Strain that each interferometer sees of each binary.

    Antenna pattern times polarizations, delayed relative to the geocentre
    by whole samples (``ml4gw.gw.compute_observed_strain``).

    Args:
        plus: polarizations of shape (N, time).
        cross: polarizations of shape (N, time).
        parameters: the N binaries with ``ra``, ``dec`` and ``psi`` in rad.
        ifos: names of the interferometers.
        sample_rate: Hz.

    Returns:
        Strain of shape (N, ifo, time), float64.

    Raises:
        UserError: if an interferometer is unknown.
    """
    tensors, vertices = geometry(ifos)
    ra, dec, psi = _sky(parameters)
    return compute_observed_strain(
        dec,
        psi,
        ra,
        tensors,
        vertices,
        sample_rate,
        plus=torch.from_numpy(plus),
        cross=torch.from_numpy(cross),
    ).numpy()


def _sky(parameters: BilbyParameterSet) -> tuple[torch.Tensor, ...]:
    return tuple(
        torch.from_numpy(np.asarray(getattr(parameters, name), float))
        for name in ("ra", "dec", "psi")
    )
