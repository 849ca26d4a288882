"""What a density estimate needs to know of its samples."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from conventions.errors import UserError
from numpy.typing import NDArray

Array = NDArray[np.float64]

PRECISION = 0.1
"""Relative standard error allowed where the estimate becomes a tail."""

TAIL_EVENTS = round(1 / PRECISION**2)
"""Effective samples that a tail is fitted to: its slope is this precise."""

_CHUNK = 2**20


class FitError(UserError):
    """Samples of which no density can be made, such as too few."""


# Inter-quartile range of a normal distribution of unit width.
_NORMAL_IQR = 1.3489795003921634


@dataclass(frozen=True)
class Samples:
    """Weighted samples, with their order statistics.

    Attributes:
        values: finite, shape ``(sample,)``.
        weights: positive, shape ``(sample,)``; None: all are equal.
        lowest: smallest value.
        loud: largest value that leaves ``TAIL_EVENTS`` effective samples at
            or above itself.
        effective: effective number of samples, (sum w)^2 / sum w^2 (Kish).
        bandwidth: Silverman's rule of thumb, 0.9 A n^(-1/5) with the
            effective number n and A the smaller of the standard deviation
            and IQR/1.349, both weighted (Silverman 1986, eq. 3.31); A is
            the standard deviation where the quartiles coincide.
    """

    values: NDArray[np.floating]
    weights: Array | None
    lowest: float
    loud: float
    effective: float
    bandwidth: float

    @classmethod
    def of(
        cls, values: NDArray[np.floating], weights: Array | None, name: str
    ) -> "Samples":
        """Look at samples once.

        Args:
            values: finite, shape ``(sample,)``.
            weights: positive, shape ``(sample,)``; None: all are equal.
            name: how messages call the samples.

        Returns:
            The samples.

        Raises:
            FitError: if they are too few or all equal.
        """
        if weights is None:
            effective = float(values.size)
        else:
            effective = float(weights.sum() ** 2 / np.sum(weights**2))
        if effective < TAIL_EVENTS:
            raise FitError(too_few(name, values.size, effective))
        landmarks = _equal if weights is None else _weighted
        quartiles, loud = landmarks(values, weights)
        deviation = _deviation(values, weights)
        if not deviation > 0:
            raise FitError(
                f"all {values.size} detection statistics of {name} are "
                f"{values[0]}; a density needs a spread"
            )
        spread = (quartiles[1] - quartiles[0]) / _NORMAL_IQR
        scale = min(deviation, spread) if spread > 0 else deviation
        return cls(
            values,
            weights,
            float(values.min()),
            loud,
            effective,
            0.9 * scale * effective**-0.2,
        )

    def chunks(self) -> Iterator[tuple[Array, Array | None]]:
        """Go through the samples in pieces that are small in memory.

        Yields:
            Values in double precision, and their weights.
        """
        yield from _chunks(self.values, self.weights)


def too_few(name: str, size: int, effective: float) -> str:
    """Say that a density cannot be estimated.

    Args:
        name: of the samples.
        size: their number.
        effective: their effective number.

    Returns:
        The message.
    """
    return (
        f"{name}: {size} detection statistics, worth {effective:.1f} equally "
        f"weighted ones, are too few for a density that is good to "
        f"{PRECISION:.0%}; several hundred are needed"
    )


def _chunks(
    values: NDArray[np.floating], weights: Array | None
) -> Iterator[tuple[Array, Array | None]]:
    for start in range(0, values.size, _CHUNK):
        rows = slice(start, start + _CHUNK)
        piece = values[rows].astype(np.float64, copy=False)
        yield piece, None if weights is None else weights[rows]


def _deviation(values: NDArray[np.floating], weights: Array | None) -> float:
    """Weighted standard deviation, by two passes that need no copy."""
    mean = np.average(values, weights=weights)
    total = square = 0.0
    for piece, weight in _chunks(values, weights):
        distance = (piece - mean) ** 2
        total += piece.size if weight is None else weight.sum()
        square += distance.sum() if weight is None else distance @ weight
    return float(np.sqrt(square / total))


def _equal(
    values: NDArray[np.floating], _: None
) -> tuple[tuple[float, float], float]:
    size = values.size
    places = (size // 4, 3 * size // 4, size - TAIL_EVENTS)
    low, high, loud = np.partition(values, sorted(places))[list(places)]
    return (float(low), float(high)), float(loud)


def _weighted(
    values: NDArray[np.floating], weights: Array
) -> tuple[tuple[float, float], float]:
    order = np.argsort(values)
    ordered = weights[order]
    cumulative = np.cumsum(ordered)
    quartiles = np.searchsorted(cumulative, cumulative[-1] * np.r_[1, 3] / 4)
    low, high = values[order[quartiles]]
    above = np.cumsum(ordered[::-1])
    effective = above**2 / np.cumsum(ordered[::-1] ** 2)
    enough = int(np.argmax(effective >= TAIL_EVENTS))
    return (float(low), float(high)), float(values[order[-1 - enough]])
