"""Rate density of astrophysical events."""

from typing import Self

import numpy as np
from conventions.errors import UserError
from ledger.events import RecoveredInjectionSet
from ledger.injections import InjectionParameterSet
from numpy.typing import ArrayLike, NDArray

from p_astro.density import TailedKde
from p_astro.rate import RateDensity, check_statistics
from p_astro.samples import FitError

Array = NDArray[np.float64]


class KdeForeground(RateDensity):
    """Astrophysical events per unit of detection statistic and year.

    f(rho) = R V0 sum_found w_i K(rho - rho_i), where R is the rate of
    mergers per volume and time at the source, V0 the volume that all draws
    fill, and the weights of all draws, found, missed and rejected, sum to
    one. Its integral is R times the sensitive volume without a threshold.
    Where found injections get sparse, K is continued by an exponential
    (:class:`~p_astro.density.TailedKde`).

    The constructor gives all draws one weight: they are taken to be drawn
    from the astrophysical population. :meth:`from_arrays` takes importance
    weights towards another one.

    Args:
        foreground: injections that were searched for, found and missed.
        rejected: draws that were too quiet to be searched for.
        astro_event_rate: mergers per Gpc^3 and year.
        volume: V0, the integral of dVc/dz / (1+z) over the injected
            redshifts times the injected solid angle (Gpc^3). Without it,
            that between the extreme redshifts and declinations of both
            tables (needs ``priors``), which falls short by about one part
            in the number of draws.

    Attributes:
        astro_event_rate: mergers per Gpc^3 and year.
        volume: V0 (Gpc^3).
        fraction: sum of the weights of the found injections.

    Raises:
        UserError: if the rate or the volume make no sense, a statistic is
            NaN, the tables disagree on the number of draws, or neither the
            volume nor ``priors`` is there.
        FitError: a ``UserError``, if the found injections are too few for a
            density.
    """

    ATTRIBUTES = ("astro_event_rate", "volume", "fraction")

    def __init__(
        self,
        foreground: RecoveredInjectionSet,
        rejected: InjectionParameterSet,
        astro_event_rate: float,
        *,
        volume: float | None = None,
    ) -> None:
        draws = len(foreground) + len(rejected)
        if foreground.num_injections != draws:
            raise UserError(
                f"{foreground.num_injections} injections were drawn "
                "according to the table of recovered injections, but it "
                f"holds {len(foreground)} and the table of rejected "
                f"parameters {len(rejected)}: the two are not of the same "
                "run"
            )
        if volume is None:
            volume = _volume_of_draws(foreground, rejected)
        self._fit(
            foreground.detection_statistic,
            np.full(len(foreground), 1 / max(draws, 1)),
            volume,
            astro_event_rate,
        )

    @classmethod
    def from_arrays(
        cls,
        statistics: ArrayLike,
        weights: ArrayLike,
        volume: float,
        astro_event_rate: float,
    ) -> Self:
        """Estimate the density of plain numbers.

        Args:
            statistics: detection statistic of each injection searched for,
                ``-inf`` where it was missed, shape ``(kept,)``.
            weights: importance weights of the same injections, normalised
                so that those of kept and rejected draws sum to one, shape
                ``(kept,)``.
            volume: V0, the volume that all draws fill (Gpc^3).
            astro_event_rate: mergers per Gpc^3 and year.

        Returns:
            The model.

        Raises:
            UserError: as the class; also if the weights are not such
                weights.
            FitError: as the class.
        """
        model = cls.__new__(cls)
        model._fit(statistics, weights, volume, astro_event_rate)
        return model

    def _fit(
        self,
        statistics: ArrayLike,
        weights: ArrayLike,
        volume: float,
        astro_event_rate: float,
    ) -> None:
        _check_rate(astro_event_rate)
        if not 0 < volume < np.inf:
            raise UserError(
                f"the injections fill a volume of {volume} Gpc^3; accepted "
                "is a positive one"
            )
        statistics = np.asarray(statistics, dtype=np.float64)
        weights = _checked_weights(weights, statistics)
        counted = ~np.isneginf(statistics) & (weights > 0)
        found = check_statistics(statistics[counted], "the injections")
        if not found.size:
            raise FitError(
                f"none of {statistics.size} injections was found with a "
                "positive weight: there is no foreground to compare with"
            )
        weights = weights[counted]
        self.density = TailedKde.fit(found, weights, "the found injections")
        self.fraction = float(weights.sum())
        self.volume = float(volume)
        self.astro_event_rate = float(astro_event_rate)

    @property
    def sensitive_volume(self) -> float:
        """Volume in which injections are found at any statistic (Gpc^3)."""
        return self.volume * self.fraction

    @property
    def total_rate(self) -> float:
        """Events of any statistic per year."""
        return self.astro_event_rate * self.sensitive_volume

    def at_rate(self, astro_event_rate: float) -> Self:
        """The same search of a universe with another rate of mergers.

        Args:
            astro_event_rate: mergers per Gpc^3 and year.

        Returns:
            Another model; nothing is estimated anew.

        Raises:
            UserError: if the rate is negative or not finite.
        """
        _check_rate(astro_event_rate)
        return self.restored(
            self.density,
            astro_event_rate=float(astro_event_rate),
            volume=self.volume,
            fraction=self.fraction,
        )


def _check_rate(rate: float) -> None:
    if not 0 <= rate < np.inf:
        raise UserError(
            f"astro_event_rate is {rate} per Gpc^3 and year; accepted is a "
            "rate that is not negative"
        )


def _checked_weights(weights: ArrayLike, statistics: Array) -> Array:
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != statistics.shape:
        raise UserError(
            f"weights of shape {weights.shape} for detection statistics of "
            f"shape {statistics.shape}; one each is needed"
        )
    bad = np.count_nonzero(~(weights >= 0))
    if bad:
        raise UserError(
            f"{bad} of {weights.size} weights of injections are negative or "
            "NaN"
        )
    total = weights.sum()
    if total > 1 + 1e-6:
        raise UserError(
            f"the weights of the injections sum to {total:.6g}; together "
            "with those of the rejected draws they must sum to one"
        )
    return weights


def _volume_of_draws(
    foreground: RecoveredInjectionSet, rejected: InjectionParameterSet
) -> float:
    """Volume between the extreme redshifts and declinations of all draws."""
    # Here, because priors brings in astropy and bilby.
    try:
        from priors.cosmology import astrophysical_volume
    except ImportError as error:
        raise UserError(
            "the volume of the injections is computed with libs/priors, "
            f"which lacks here ({error}): install it, or give volume"
        ) from error

    redshift = np.concatenate([foreground.redshift, rejected.redshift])
    dec = np.concatenate([foreground.dec, rejected.dec])
    if not redshift.size:
        raise UserError(
            "no injection was drawn: the tables of recovered injections and "
            "of rejected parameters are both empty"
        )
    return astrophysical_volume(
        redshift.min(), redshift.max(), dec.min(), dec.max()
    )
