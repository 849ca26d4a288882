"""Importance-weighted sensitive volume, for all thresholds in one pass."""

from dataclasses import dataclass

import numpy as np
from conventions.errors import UserError
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """Importance weights of all draws, normalised to a total of one.

    The rejected draws were never found, whatever the threshold, so that two
    moments of their weights say all that the volume and its error need.

    Attributes:
        kept: weights of the injections that were searched for, shape
            ``(kept,)``.
        rejected: sum of the weights of the rejected draws.
        rejected_squares: sum of the squares of those weights.
    """

    kept: Array
    rejected: float
    rejected_squares: float

    @classmethod
    def from_logarithms(
        cls, kept: ArrayLike, rejected: ArrayLike
    ) -> "Weights":
        """Normalise ``log(p_target / p_source)`` of kept and rejected draws.

        Constant factors, such as the normalisation of either density, drop
        out. Logarithms keep draws far from the target from underflowing.

        Args:
            kept: logarithms of the kept draws, shape ``(kept,)``.
            rejected: logarithms of the rejected draws, shape
                ``(rejected,)``.

        Returns:
            The weights.

        Raises:
            UserError: if there is no draw, a logarithm is NaN or ``+inf``
                (a draw outside its own prior), or every weight is zero.
        """
        kept = np.asarray(kept, dtype=np.float64)
        rejected = np.asarray(rejected, dtype=np.float64)
        if kept.size + rejected.size == 0:
            raise UserError(
                "no injection was drawn: the table of recovered injections "
                "and that of rejected parameters are both empty, and a "
                "sensitive volume needs at least one draw"
            )
        for name, logs in (("kept", kept), ("rejected", rejected)):
            bad = int(np.sum(np.isnan(logs) | np.isposinf(logs)))
            if bad:
                raise UserError(
                    f"{bad} of {logs.size} {name} injections have no weight: "
                    "they lie where the prior they are said to be drawn from "
                    "is zero; give the prior that made them"
                )
        top = max(kept.max(initial=-np.inf), rejected.max(initial=-np.inf))
        if np.isneginf(top):
            raise UserError(
                "the target population does not overlap the injections: "
                f"none of {kept.size + rejected.size} draws has a weight"
            )
        weights = np.exp(kept - top)
        lost = np.exp(rejected - top)
        total = weights.sum() + lost.sum()
        weights /= total
        lost /= total
        return cls(weights, float(lost.sum()), float(np.sum(lost**2)))

    @property
    def ess(self) -> float:
        """Effective number of draws: (sum w)^2 / sum w^2 (Kish)."""
        total = self.kept.sum() + self.rejected
        return float(total**2 / (np.sum(self.kept**2) + self.rejected_squares))

    @property
    def ess_kept(self) -> float:
        """Effective number of the draws that were searched for."""
        squares = np.sum(self.kept**2)
        return float(self.kept.sum() ** 2 / squares) if squares else 0.0


class RecoveredStatistics:
    """Statistics of the kept injections, sorted once for all populations.

    Args:
        statistics: detection statistic of each kept injection, shape
            ``(kept,)``; ``-inf`` where the injection was missed.

    Raises:
        UserError: if a statistic is NaN.
    """

    def __init__(self, statistics: ArrayLike) -> None:
        statistics = np.asarray(statistics, dtype=np.float64)
        bad = int(np.isnan(statistics).sum())
        if bad:
            raise UserError(
                f"{bad} of {statistics.size} detection statistics of "
                "injections are NaN; missed injections are marked by -inf"
            )
        order = np.argsort(statistics, kind="stable")
        missed = np.searchsorted(statistics[order], -np.inf, side="right")
        self._order = order[missed:]
        self._sorted = statistics[self._order]

    def _above(self, values: Array, first: NDArray[np.intp]) -> Array:
        """Sums of ``values`` over the found from each ``first`` upwards."""
        sums = np.zeros(self._sorted.size + 1)
        np.cumsum(values[self._order][::-1], out=sums[1:])
        return sums[::-1][first]

    def counts(self, thresholds: ArrayLike) -> NDArray[np.intp]:
        """Count injections found with a statistic >= each threshold."""
        first = np.searchsorted(self._sorted, thresholds, side="left")
        return self._sorted.size - first

    def volume(
        self, weights: Weights, thresholds: ArrayLike, total_volume: float
    ) -> tuple[Array, Array]:
        """Sensitive volume and its error at each threshold.

        ``V(rho) = V0 * sum_{found with stat >= rho} w_i`` and ``sigma(rho)
        = V0 * sqrt(sum_i w_i^2 (found_i - V/V0)^2)``, where the second sum
        runs over missed and rejected draws too, as not found. (Error of a
        self-normalised importance-sampling estimate; compare Tiwari,
        arXiv:1712.00482.)

        Args:
            weights: of the same kept injections, in the same order.
            thresholds: shape ``(threshold,)``, in any order.
            total_volume: V0, the volume that the draws fill (Gpc^3).

        Returns:
            Volume and error (Gpc^3), each of shape ``(threshold,)``.
        """
        first = np.searchsorted(self._sorted, thresholds, side="left")
        squares = weights.kept**2
        fraction = np.clip(self._above(weights.kept, first), 0.0, 1.0)
        found = self._above(squares, first)
        lost = np.maximum(
            squares.sum() + weights.rejected_squares - found, 0.0
        )
        variance = found * (1 - fraction) ** 2 + lost * fraction**2
        return total_volume * fraction, total_volume * np.sqrt(variance)
