"""Populations for which a sensitive volume is quoted."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from bilby.core.prior import PriorDict
from conventions.errors import UserError
from numpy.typing import NDArray
from priors.priors import log_normal_masses
from priors.sampling import seeded

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """Log-normal distribution of each source-frame mass.

    Redshifts follow the comoving volume per unit of source time, sky
    positions are isotropic; whatever else describes a binary (spins,
    orientation) is distributed as in the injections.

    Attributes:
        mass_1_source: median of the heavier mass (solar masses).
        mass_2_source: median of the lighter mass (solar masses).
        width: standard deviation of the natural logarithm of each mass.

    Raises:
        UserError: if a value is not positive or the masses are not ordered.
    """

    mass_1_source: float
    mass_2_source: float
    width: float = 0.1

    def __post_init__(self) -> None:
        if not self.mass_1_source >= self.mass_2_source > 0:
            raise UserError(
                f"population masses ({self.mass_1_source:g}, "
                f"{self.mass_2_source:g}): accepted are two positive "
                "source-frame masses in solar masses, the heavier first"
            )
        if not self.width > 0:
            raise UserError(
                f"population width {self.width:g}: accepted is a positive "
                "standard deviation of log(mass)"
            )

    @property
    def name(self) -> str:
        """The two masses joined by a hyphen, as in ``35-20``."""
        return f"{self.mass_1_source:g}-{self.mass_2_source:g}"

    @cached_property
    def _prior(self) -> PriorDict:
        prior, _ = log_normal_masses(
            self.mass_1_source, self.mass_2_source, self.width
        )
        return prior

    def log_density(self, mass_1_source: Array, mass_2_source: Array) -> Array:
        """Log density of ordered source-frame masses.

        Args:
            mass_1_source: shape ``(draw,)`` (solar masses).
            mass_2_source: shape ``(draw,)`` (solar masses).

        Returns:
            Natural logarithm of the density (per solar mass squared), shape
            ``(draw,)``, normalised over ``mass_1_source >= mass_2_source``
            (:func:`priors.priors.log_normal_masses`) and ``-inf`` where the
            masses are not ordered.
        """
        masses = {
            "mass_1": np.asarray(mass_1_source, dtype=np.float64),
            "mass_2": np.asarray(mass_2_source, dtype=np.float64),
        }
        with np.errstate(divide="ignore"):
            return np.asarray(self._prior.ln_prob(masses, axis=0))

    def sample(self, size: int, seed: int) -> tuple[Array, Array]:
        """Draw ordered source-frame masses.

        Args:
            size: number of draws.
            seed: of the random numbers.

        Returns:
            Heavier and lighter mass (solar masses), each ``(size,)``.
        """
        with seeded(seed):
            drawn = self._prior.sample(size)
        return drawn["mass_1"], drawn["mass_2"]


POPULATIONS = (
    Population(35.0, 35.0),
    Population(35.0, 20.0),
    Population(20.0, 20.0),
    Population(20.0, 10.0),
)
"""The populations for which the published search quotes its volume."""
