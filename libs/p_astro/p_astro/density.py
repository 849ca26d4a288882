"""Kernel density of a detection statistic, with a tail."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import exprel

from p_astro.samples import PRECISION, FitError, Samples, too_few
from p_astro.tail import Sparse, Tail

Array = NDArray[np.float64]

NODES_PER_BANDWIDTH = 20
"""Resolution of the grid on which the kernels are summed."""

REACH = 8
"""Bandwidths at which a kernel ends; its height there is exp(-32)."""

MAX_NODES = 2**22
"""Size of the largest grid (32 MiB)."""


@dataclass(frozen=True)
class TailedKde:
    """A density whose logarithm is linear between nodes and beyond them.

    Up to ``split`` the nodes follow a Gaussian kernel density estimate, from
    there on the density never rises (:class:`p_astro.tail.Tail`). A density
    made by :meth:`fit` is positive everywhere and its integral is one.

    Attributes:
        start: detection statistic of the first node.
        step: distance of the nodes.
        log_density: natural logarithm at the nodes up to the split (per
            unit of statistic), shape ``(node,)``.
        tail: detection statistics of the nodes beyond the split, shape
            ``(tail node,)``.
        log_tail: natural logarithm there, ``(tail node,)``.
        decay: of the exponential beyond the last node, per unit of
            statistic.
        bandwidth: standard deviation of the kernels.
    """

    start: float
    step: float
    log_density: Array
    tail: Array
    log_tail: Array
    decay: float
    bandwidth: float

    @classmethod
    def fit(
        cls,
        values: NDArray[np.floating],
        weights: Array | None,
        name: str,
    ) -> "TailedKde":
        """Estimate the density of weighted samples.

        The kernels are summed on a grid: samples are shared linearly by
        their two nodes, whose counts are then convolved with the kernel
        (Wand, J. Comp. Graph. Stat. 3 (1994) 433, but summed directly, so
        that low densities keep their relative precision). Compared with
        the plain sum of kernels of the same bandwidth the shape is within
        0.2% where the density is above 1e-4 of its peak, and within 1%
        wherever a sample lies within 4 bandwidths.

        The join is the loudest node at which the estimate is still good to
        ``PRECISION``: its relative variance 1/(2 sqrt(pi) n h p) is at most
        ``PRECISION**2``, and at least ``TAIL_EVENTS`` effective samples lie
        above. The tail has the mass of the samples beyond
        (:meth:`p_astro.tail.Tail.fit`); within one step from the join the
        logarithm goes straight from the value of the kernels to its own.
        What kernels carry over the join, or that step, is made up for by
        dividing all by its integral.

        Args:
            values: finite, shape ``(sample,)``.
            weights: positive, shape ``(sample,)``; None: all are equal.
            name: how messages call the samples.

        Returns:
            The density, normalised to one.

        Raises:
            FitError: if the samples are all equal, spread over too many
                bandwidths, or so few that the estimate is nowhere good to
                ``PRECISION``.
        """
        samples = Samples.of(values, weights, name)
        bandwidth = samples.bandwidth
        step = bandwidth / NODES_PER_BANDWIDTH
        start = samples.lowest - REACH * bandwidth
        # The last node that may be the join is quieter than samples.loud.
        last = int(np.ceil((samples.loud - start) / step)) - 1
        margin = REACH * NODES_PER_BANDWIDTH
        if last + margin >= MAX_NODES:
            raise FitError(
                f"{name}: detection statistics from {samples.lowest:g} to "
                f"{samples.loud:g} are too far apart for a kernel density "
                f"of bandwidth {bandwidth:g}, which their inner half asks "
                f"for; accepted are {MAX_NODES // NODES_PER_BANDWIDTH} "
                "bandwidths"
            )
        counts, total = _bin(samples, start, step, last + margin + 2)
        density = np.convolve(counts, _kernel(bandwidth, step), "same")
        density = density[: last + 1] / total
        variance = 2 * np.sqrt(np.pi) * samples.effective * bandwidth
        precise = np.flatnonzero(density * variance >= 1 / PRECISION**2)
        if not precise.size:
            raise FitError(too_few(name, values.size, samples.effective))
        density = density[: precise[-1] + 1]
        split = start + step * (density.size - 1)
        tail = Tail.fit(_beyond(samples, split, total), bandwidth)
        distance, log_tail, decay = tail.nodes(step)
        first, logarithm = _logarithm(density)
        kde = cls(
            start + step * first,
            step,
            logarithm,
            split + distance,
            log_tail,
            decay,
            bandwidth,
        )
        norm = np.log(kde._integral())
        return replace(
            kde, log_density=logarithm - norm, log_tail=log_tail - norm
        )

    @property
    def nodes(self) -> Array:
        """Detection statistics of all nodes, shape ``(node,)``."""
        body = self.start + self.step * np.arange(self.log_density.size)
        return np.concatenate([body, self.tail])

    @property
    def split(self) -> float:
        """Detection statistic at which the tail begins."""
        return self.start + self.step * (self.log_density.size - 1)

    @property
    def _rise(self) -> float:
        """Slope of the logarithm before the first node."""
        return float(self.log_density[1] - self.log_density[0]) / self.step

    def _integral(self) -> float:
        """Exact integral of the interpolated density."""
        logs = np.concatenate([self.log_density, self.log_tail])
        heights = np.exp(logs)
        pieces = heights[:-1] * exprel(np.diff(logs))
        before = heights[0] / self._rise
        within = pieces @ np.diff(self.nodes)
        return float(before + within + heights[-1] / self.decay)

    def log_pdf(self, statistics: ArrayLike) -> Array:
        """Natural logarithm of the density.

        Args:
            statistics: any shape; not NaN.

        Returns:
            Logarithm (per unit of statistic), of the same shape; ``-inf``
            at either infinity.
        """
        statistics = np.asarray(statistics, dtype=np.float64)
        place = (statistics - self.start) / self.step
        final = self.log_density.size - 1
        inside = np.clip(place, 0, final)
        left = np.minimum(inside.astype(np.int64), final - 1)
        below = self.log_density[left]
        rise = self.log_density[left + 1] - below
        body = (
            below
            + rise * (inside - left)
            + self._rise * self.step * np.minimum(place, 0)
        )
        nodes = np.append(self.split, self.tail)
        logs = np.append(self.log_density[-1], self.log_tail)
        tail = np.interp(statistics, nodes, logs) - logs[0]
        decayed = self.decay * np.maximum(statistics - self.tail[-1], 0)
        return body + tail - decayed


def _bin(
    samples: Samples, start: float, step: float, size: int
) -> tuple[Array, float]:
    """Share samples between neighbouring nodes; those beyond are left out.

    Returns:
        Weight at each node, shape ``(size,)``, and that of all samples.
    """
    counts = np.zeros(size)
    total = 0.0
    for values, weights in samples.chunks():
        weights = np.ones(values.size) if weights is None else weights
        total += weights.sum()
        place = (values - start) / step
        within = place < size - 1
        place, weights = place[within], weights[within]
        left = place.astype(np.int64)
        right = (place - left) * weights
        counts += np.bincount(left, weights - right, size)
        counts += np.bincount(left + 1, right, size)
    return counts, total


def _kernel(bandwidth: float, step: float) -> Array:
    """Gaussian at the nodes, of odd length."""
    # Sharing a sample between two nodes widens it by a variance of step^2/6
    # on average; the kernel is narrower by as much.
    width = np.sqrt(bandwidth**2 - step**2 / 6)
    reach = REACH * NODES_PER_BANDWIDTH
    distance = step * np.arange(-reach, reach + 1) / width
    return np.exp(-(distance**2) / 2) / (np.sqrt(2 * np.pi) * width)


def _beyond(samples: Samples, split: float, total: float) -> Sparse:
    """Take the samples beyond a split, of the total weight of all."""
    distances, loads = [], []
    for values, weights in samples.chunks():
        above = values > split
        distances.append(values[above] - split)
        loads.append(
            np.ones(distances[-1].size) if weights is None else weights[above]
        )
    return Sparse.of(np.concatenate(distances), np.concatenate(loads), total)


def _logarithm(density: Array) -> tuple[int, Array]:
    """First node that a kernel reaches, and logarithms from there on.

    Where no kernel reaches in between, the logarithm is continued straight.
    """
    reached = np.flatnonzero(density)
    nodes = np.arange(reached[0], density.size)
    return int(reached[0]), np.interp(nodes, reached, np.log(density[reached]))
