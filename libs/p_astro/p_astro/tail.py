"""What continues a kernel density where samples get sparse."""

from dataclasses import dataclass
from operator import itemgetter
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

Array = NDArray[np.float64]

MISFIT = 3.5
"""Poisson standard deviations at which counts refute one exponential.

The largest deviation of all loudness is looked at, so that samples of an
exponential reach 2.5 in one case of five and 3.5 in one of forty.
"""

AGREEMENT = 2.5
"""Poisson standard deviations within which a loud population is enough."""

CANDIDATES = 80
"""Sizes of a loud population that are tried."""

GROWTH = 1.02
"""Ratio of the distances of successive nodes from the join."""


@dataclass(frozen=True)
class Sparse:
    """Samples beyond the join, loudest first.

    Attributes:
        distance: from the join, descending, shape ``(sample,)``.
        mass: part of all samples at or beyond each, ``(sample,)``.
        unit: part of all samples that counts as one event.
    """

    distance: Array
    mass: Array
    unit: float

    @classmethod
    def of(cls, distance: Array, weights: Array, total: float) -> Self:
        """Sort samples.

        Args:
            distance: from the join, positive, shape ``(sample,)``.
            weights: positive, ``(sample,)``.
            total: weight of all samples, those before the join too.

        Returns:
            The samples.
        """
        order = np.argsort(-distance, kind="stable")
        mass = np.cumsum(weights[order]) / total
        unit = float(np.sum(weights**2) / weights.sum() / total)
        return cls(distance[order], mass, unit)

    def misfit(self, predicted: Array) -> float:
        """Largest Poisson deviation of counts from a prediction.

        Args:
            predicted: part of all samples beyond each, ``(sample,)``.

        Returns:
            Standard deviations, from the likelihood ratio.
        """
        mean = predicted / self.unit
        louder = np.append(0.0, self.mass[:-1])
        return max(
            _deviation(self.mass / self.unit, mean, 1),
            _deviation(louder / self.unit, mean, -1),
        )

    def decay(self, loud: int, steepest: float) -> float:
        """Inverse of the mean distance of all but the loudest samples."""
        weights = np.diff(self.mass, prepend=0.0)[loud:]
        mean = weights @ self.distance[loud:] / weights.sum()
        return min(1 / float(mean), steepest)


@dataclass(frozen=True)
class Tail:
    """A density beyond the join that never rises.

    An exponential, that of the bulk, plus the steps of a loud population.

    Attributes:
        amplitude: of the exponential at the join.
        decay: of the exponential, per unit of statistic.
        edges: distances from the join at which steps end, ascending,
            shape ``(step,)``; empty without a loud population.
        heights: densities of the steps, descending, ``(step,)``.
        rest: mass of the loud population beyond the last edge.
        steepest: largest decay that there is.
    """

    amplitude: float
    decay: float
    edges: Array
    heights: Array
    rest: float
    steepest: float

    @classmethod
    def fit(cls, sparse: Sparse, bandwidth: float) -> Self:
        """Continue a density by the mass of the samples beyond.

        Alone, the exponential has the mass of the samples and their mean
        distance as decay length, the maximum-likelihood estimate. Where
        their counts miss it significantly, the loudest samples are taken
        out and spread by the smallest concave curve above their cumulative
        mass, the maximum-likelihood estimate of a density that never rises
        (Grenander 1956); half of the loudest lies beyond itself. The
        exponential then is that of the other samples. As few are taken out
        as make the counts agree; where no number does, the one with the
        least deviation.

        Args:
            sparse: samples beyond the join.
            bandwidth: of the kernels; no decay length is shorter.

        Returns:
            The tail.
        """
        size = sparse.distance.size
        sizes = np.geomspace(1, size - 1, CANDIDATES).round().astype(int)
        tails = []
        for loud in np.unique(np.append(0, sizes)):
            tail = cls._of(sparse, loud, 1 / bandwidth)
            misfit = sparse.misfit(tail.mass(sparse.distance))
            if misfit <= (AGREEMENT if loud else MISFIT):
                return tail
            tails.append((misfit, tail))
        return min(tails, key=itemgetter(0))[1]

    @classmethod
    def _of(cls, sparse: Sparse, loud: int, steepest: float) -> Self:
        decay = sparse.decay(loud, steepest)
        mass = float(sparse.mass[-1])
        if not loud:
            nothing = np.zeros(0)
            return cls(mass * decay, decay, nothing, nothing, 0.0, steepest)
        amplitude = (mass - float(sparse.mass[loud - 1])) * decay
        return cls(
            amplitude, decay, *_concave(sparse, loud, steepest), steepest
        )

    def density(self, distance: Array) -> Array:
        """Density up to the last edge, per unit of statistic."""
        bulk = self.amplitude * np.exp(-self.decay * distance)
        if not self.edges.size:
            return bulk
        step = np.searchsorted(self.edges, distance)
        return bulk + self.heights[np.minimum(step, self.edges.size - 1)]

    def mass(self, distance: Array) -> Array:
        """Mass beyond distances up to the last edge."""
        decayed = np.exp(-self.decay * distance)
        bulk = self.amplitude / self.decay * decayed
        if not self.edges.size:
            return bulk
        edges = np.concatenate([[0.0], self.edges])
        steps = np.cumsum(np.append(0.0, np.diff(edges) * self.heights))
        return bulk + steps[-1] - np.interp(distance, edges, steps) + self.rest

    def nodes(self, first: float) -> tuple[Array, Array, float]:
        """Express the tail by nodes between which its logarithm is straight.

        Args:
            first: distance of the first node, within a bandwidth; the
                logarithm is straight between it and the join.

        Returns:
            Distances of the nodes from the join, ascending, shape
            ``(node,)``; logarithms of the density there; and the decay of
            an exponential from the last node on.
        """
        if not self.edges.size:
            logarithm = np.log(self.amplitude) - self.decay * first
            return np.array([first]), np.array([logarithm]), self.decay
        end = self.edges[-1]
        grown = np.geomspace(
            first, end, int(np.log(end / first) / np.log(GROWTH)) + 2
        )
        distance = np.append(grown, self.edges)
        distance = np.unique(distance[(distance >= first) & (distance <= end)])
        logarithm = np.log(self.density(distance))
        left = float(self.mass(end))
        decay = float(np.exp(logarithm[-1])) / left
        if decay > self.steepest:
            # A step down, for what is left to fall no steeper.
            distance = np.append(distance, end + first)
            logarithm = np.append(logarithm, np.log(left * self.steepest))
            decay = self.steepest
        return distance, logarithm, decay


def _deviation(count: Array, mean: Array, sign: int) -> float:
    """Largest deviation of counts to one side, in standard deviations."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(count > 0, count * np.log(count / mean), 0.0)
    square = 2 * (ratio - count + mean)
    wrong = sign * (count - mean) > 0
    return float(np.sqrt(np.max(square, where=wrong, initial=0.0)))


def _concave(
    sparse: Sparse, loud: int, steepest: float
) -> tuple[Array, Array, float]:
    """Steps of the loudest samples, and what of them lies beyond."""
    # No step is narrower than the kernels.
    distance = np.maximum(sparse.distance[:loud][::-1], 1 / steepest)
    mass = sparse.mass[:loud]
    rest = float(mass[0]) / 2
    quieter = float(mass[-1]) - np.append(mass[:-1][::-1], rest)
    edges, last = np.unique(distance[::-1], return_index=True)
    quieter = quieter[loud - 1 - last]
    width = np.diff(edges, prepend=0.0)
    slopes = np.diff(quieter, prepend=0.0) / width
    fit = isotonic_regression(slopes, weights=width, increasing=False)
    ends = np.flatnonzero(np.append(np.diff(fit.x) < 0, True))
    return edges[ends], fit.x[ends], rest
