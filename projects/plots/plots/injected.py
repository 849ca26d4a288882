"""The density from which injections were drawn, and weights towards others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from bilby.core.prior import PriorDict
from conventions.errors import UserError
from numpy.typing import NDArray
from priors import load
from priors.cosmology import COSMOLOGY, astrophysical_volume
from priors.sampling import source_frame_density
from scipy.interpolate import CubicSpline

from plots.populations import Population

Array = NDArray[np.float64]

NODES = 2000
"""Redshifts between which the volume per redshift is interpolated."""


class Parameters(Protocol):
    """What a table of injections offers: arrays of one length."""

    mass_1: Array
    mass_2: Array
    redshift: Array
    ra: Array
    dec: Array


@dataclass(frozen=True)
class Draws:
    """Injections as their importance weights need them.

    Attributes:
        mass_1_source: heavier source-frame mass (solar masses), ``(draw,)``.
        mass_2_source: lighter source-frame mass (solar masses), ``(draw,)``.
        log_ratio: log of the target's over the injections' density, less
            the target's density over masses, up to a constant, ``(draw,)``.
    """

    mass_1_source: Array
    mass_2_source: Array
    log_ratio: Array

    def log_weights(self, population: Population) -> Array:
        """Log ratio of a population's density to that of the injections.

        Args:
            population: the target.

        Returns:
            Unnormalised natural logarithms, shape ``(draw,)``.
        """
        if self.log_ratio.size == 0:
            return np.zeros(0)
        return self.log_ratio + population.log_density(
            self.mass_1_source, self.mass_2_source
        )


@dataclass(frozen=True)
class InjectedPrior:
    """The distribution of kept and rejected injections together.

    Attributes:
        prior: bilby's prior over ``mass_1``, ``mass_2``, ``redshift``, sky
            position and the rest.
        detector_frame: whether the masses of ``prior`` are those in the
            detector frame; otherwise they are source-frame masses. The
            masses of a table of injections are always detector-frame.
        name: how messages call the prior.
        arguments: with which its function was called.

    Raises:
        UserError: if the prior is over other parameters.
    """

    prior: PriorDict
    detector_frame: bool
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = {"mass_1", "mass_2", "redshift"} - set(self.prior)
        if missing:
            raise UserError(
                f"prior {self.name} has no parameter "
                f"{', '.join(sorted(missing))} (it has "
                f"{', '.join(sorted(self.prior))}): importance weights need "
                "its density over mass_1, mass_2 and redshift"
            )

    @classmethod
    def load(
        cls, name: str, arguments: Mapping[str, Any] | None = None
    ) -> "InjectedPrior":
        """Call a prior function given by its dotted name.

        Args:
            name: for example ``priors.priors.end_o3_ratesandpops``.
            arguments: keyword arguments of that function.

        Returns:
            The prior with the frame of its masses.

        Raises:
            UserError: if there is no such function, it does not take these
                arguments, or its prior is over other parameters.
        """
        return cls(*load(name, arguments), name, dict(arguments or {}))

    @property
    def redshift_range(self) -> tuple[float, float]:
        """Smallest and largest injected redshift."""
        redshift = self.prior["redshift"]
        return float(redshift.minimum), float(redshift.maximum)

    @cached_property
    def total_volume(self) -> float:
        """Volume per unit of source time that the injections fill (Gpc^3).

        V0, the integral of ``dVc/dz / (1+z)`` over the injected redshifts,
        times the injected solid angle.
        """
        declinations: tuple[float, ...] = ()
        fraction = 1.0
        if "dec" in self.prior:
            dec = self.prior["dec"]
            declinations = float(dec.minimum), float(dec.maximum)
        if "ra" in self.prior:
            ra = self.prior["ra"]
            fraction = float(ra.maximum - ra.minimum) / (2 * np.pi)
        volume = astrophysical_volume(*self.redshift_range, *declinations)
        return volume * fraction

    @cached_property
    def _volume_per_redshift(self) -> CubicSpline:
        """Comoving volume per redshift and unit of source time."""
        grid = np.linspace(*self.redshift_range, NODES)
        slope = COSMOLOGY.differential_comoving_volume(grid).value
        return CubicSpline(grid, slope / (1 + grid))

    def _log_place(self, table: Parameters) -> Array:
        """Target over redshift and sky, less the injections' over the sky.

        Isotropic over the injected sky: constant for an isotropic prior.
        """
        logs = np.log(
            self._volume_per_redshift(np.asarray(table.redshift, float))
        )
        if "dec" in self.prior:
            dec = np.asarray(table.dec)
            logs += np.log(np.cos(dec)) - self.prior["dec"].ln_prob(dec)
        if "ra" in self.prior:
            logs -= self.prior["ra"].ln_prob(np.asarray(table.ra))
        return logs

    def draws(self, table: Parameters) -> Draws:
        """Prepare a table of injections drawn from this prior.

        Target and source densities are over source-frame masses, redshift
        and sky position. What every population shares with the injections
        (spins, orientation, phase) cancels.

        Args:
            table: kept or rejected injections; masses in the detector
                frame.

        Returns:
            The draws, without the target's density over masses.
        """
        redshift = np.asarray(table.redshift, dtype=np.float64)
        mass_1 = np.asarray(table.mass_1, dtype=np.float64) / (1 + redshift)
        mass_2 = np.asarray(table.mass_2, dtype=np.float64) / (1 + redshift)
        if redshift.size == 0:
            return Draws(mass_1, mass_2, np.zeros(0))
        density = source_frame_density(
            self.prior, self.detector_frame, mass_1, mass_2, redshift
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            log_ratio = self._log_place(table) - np.log(density)
        return Draws(mass_1, mass_2, log_ratio)

    def prior_log_weights(self, table: Parameters) -> Array:
        """Log weights towards the injected prior at astrophysical redshifts.

        The target is uniform in comoving volume and source-frame time over
        the injected redshifts, dVc/dz / (1+z), and isotropic over the
        injected sky. At each redshift its masses, spins and orientations
        are distributed as the injections are, so that they cancel,
        whichever frame the prior's masses are in. For a prior over
        source-frame masses this is one distribution of masses at all
        redshifts. For one over detector-frame masses it is that of the
        detector-frame masses: source-frame masses get lighter with
        redshift by 1/(1+z), as those of the table do.

        Args:
            table: kept or rejected injections.

        Returns:
            Unnormalised natural logarithms, shape ``(draw,)``; ``inf`` or
            NaN outside the injected redshifts or sky.
        """
        redshift = np.asarray(table.redshift, dtype=np.float64)
        if redshift.size == 0:
            return np.zeros(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._log_place(table) - self.prior["redshift"].ln_prob(
                redshift
            )

    def coverage(
        self, population: Population, size: int = 10_000, seed: int = 0
    ) -> float:
        """Part of a population that the injections can stand for.

        Weights cannot mend what was never drawn: where the prior is zero,
        a population is left out of its own sensitive volume.

        Args:
            population: the target.
            size: number of binaries drawn from it.
            seed: of those draws.

        Returns:
            Fraction of the draws where the prior is not zero.
        """
        mass_1, mass_2 = population.sample(size, seed)
        grid = np.linspace(*self.redshift_range, NODES)
        cumulative = self._volume_per_redshift.antiderivative()(grid)
        redshift = np.interp(
            np.random.default_rng(seed).uniform(
                cumulative[0], cumulative[-1], size
            ),
            cumulative,
            grid,
        )
        density = source_frame_density(
            self.prior, self.detector_frame, mass_1, mass_2, redshift
        )
        return float(np.mean(density > 0))
