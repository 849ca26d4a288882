"""Fraction of injections recovered in bins of signal-to-noise ratio."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from conventions.errors import UserError
from ledger.intervals import ONE_SIGMA, binomial_interval
from numpy.typing import ArrayLike

SNR_BINS = (
    (4.0, 6.0),
    (6.0, 8.0),
    (8.0, 10.0),
    (10.0, 12.0),
    (12.0, 15.0),
    (15.0, 20.0),
    (20.0, math.inf),
)
"""Bins of network SNR that follow one another."""

SNR_SUMMARY_BINS = ((8.0, 10.0), (12.0, math.inf))
"""Bins by which the skill of a network is judged."""


@dataclass(frozen=True)
class Efficiency:
    """Recovered injections of one bin of network SNR.

    Attributes:
        minimum: lower edge, included.
        maximum: upper edge, excluded; ``inf`` for an open bin.
        count: injections in the bin.
        found: those recovered with a statistic at or above the threshold.
        low: lower end of the binomial interval of the fraction.
        high: upper end.
    """

    minimum: float
    maximum: float
    count: int
    found: int
    low: float
    high: float

    @property
    def name(self) -> str:
        """The bin in words: ``8-10`` or ``>=12``."""
        if math.isinf(self.maximum):
            return f">={self.minimum:g}"
        return f"{self.minimum:g}-{self.maximum:g}"

    @property
    def fraction(self) -> float | None:
        """Recovered fraction; None when no injection is in the bin."""
        return self.found / self.count if self.count else None


def recovered_fractions(
    snr: ArrayLike,
    statistics: ArrayLike,
    threshold: float,
    bins: Sequence[tuple[float, float]] = SNR_BINS,
    level: float = ONE_SIGMA,
) -> tuple[Efficiency, ...]:
    """Count recovered injections by network SNR.

    Injections are counted as they were made, without importance weights:
    the question is what becomes of a signal of a given loudness.

    Args:
        snr: network SNR of each kept injection, shape ``(kept,)``.
        statistics: their detection statistics, ``-inf`` where missed.
        threshold: smallest statistic that counts as recovered.
        bins: lower (included) and upper (excluded) edges.
        level: probability content of the Clopper-Pearson intervals.

    Returns:
        One row a bin.

    Raises:
        UserError: if a bin's edges are not ordered.
    """
    snr = np.asarray(snr, dtype=np.float64)
    recovered = np.asarray(statistics) >= threshold
    recovered &= ~np.isneginf(np.asarray(statistics))
    rows = []
    for minimum, maximum in bins:
        if not minimum < maximum:
            raise UserError(
                f"SNR bin ({minimum:g}, {maximum:g}): accepted are a lower "
                "edge and a higher upper edge"
            )
        inside = (snr >= minimum) & (snr < maximum)
        count = int(inside.sum())
        found = int((inside & recovered).sum())
        low, high = binomial_interval(found, count, level)
        rows.append(
            Efficiency(minimum, maximum, count, found, float(low), float(high))
        )
    return tuple(rows)
