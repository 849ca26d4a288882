"""Draws from a prior, and its density, in one frame for all populations."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from bilby.core.prior import Constraint, PriorDict
from bilby.core.utils import random

MASSES = ("mass_1", "mass_2")


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Make draws from bilby priors reproducible inside a block.

    Bilby draws from one generator of the process. Inside the block it is
    replaced by a new one, and afterwards put back.

    Args:
        seed: non-negative integer; None leaves the generator as it is.
    """
    if seed is None:
        yield
        return
    before = random.Generator.rng
    random.Generator.rng = np.random.default_rng(seed)
    try:
        yield
    finally:
        random.Generator.rng = before


def draw(
    prior: PriorDict, detector_frame_prior: bool, size: int
) -> dict[str, np.ndarray]:
    """Draw parameters with masses in the detector frame.

    Args:
        prior: distribution of every parameter, among them ``redshift``.
        detector_frame_prior: whether the masses of ``prior`` are those of
            the detector frame already.
        size: number of draws.

    Returns:
        Arrays of shape (size,) by parameter; constraints are left out.
    """
    names = [
        name
        for name, value in prior.items()
        if not isinstance(value, Constraint)
    ]
    if size == 0:
        return {name: np.zeros(0) for name in names}
    drawn = prior.sample(size)
    sample = {
        name: np.broadcast_to(np.asarray(drawn[name], float), (size,)).copy()
        for name in names
    }
    if not detector_frame_prior:
        for mass in MASSES:
            sample[mass] *= 1 + sample["redshift"]
    return sample


def source_frame_density(
    prior: PriorDict,
    detector_frame_prior: bool,
    mass_1_source: np.ndarray,
    mass_2_source: np.ndarray,
    redshift: np.ndarray,
) -> np.ndarray:
    """Density of source-frame masses and redshift under a population.

    The ratio of two such densities is the importance weight that turns one
    population into another. A prior of detector-frame masses has the
    Jacobian (1 + z)^2 at fixed redshift.

    Args:
        prior: distribution with ``mass_1``, ``mass_2`` and ``redshift``.
        detector_frame_prior: whether its masses are in the detector frame.
        mass_1_source: heavier masses in solar masses, shape (N,).
        mass_2_source: lighter masses in solar masses, shape (N,).
        redshift: redshifts, shape (N,).

    Returns:
        Density per squared solar mass and unit redshift, shape (N,).
    """
    mass_1, mass_2, redshift = (
        np.atleast_1d(np.asarray(values, float))
        for values in (mass_1_source, mass_2_source, redshift)
    )
    if not len(redshift):
        return np.zeros(0)
    scale = 1 + redshift if detector_frame_prior else np.ones_like(redshift)
    sample = {
        "mass_1": mass_1 * scale,
        "mass_2": mass_2 * scale,
        "redshift": redshift,
    }
    return prior.prob(sample, axis=0) * scale**2
