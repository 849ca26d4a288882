"""Probability that an event is astrophysical."""

import os
from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from p_astro import storage
from p_astro.background import KdeAndPolynomialBackground
from p_astro.foreground import KdeForeground
from p_astro.rate import checked_queries

Array = NDArray[np.float64]


class Pastro:
    """p_astro(rho) = f(rho) / (f(rho) + b(rho)), never falling with rho.

    f and b are densities of rate, events per unit of detection statistic
    and year (Farr et al., arXiv:1302.5341). A louder event is never less
    likely to be astrophysical: beyond the split of the background f/b is
    replaced by its running maximum from there, below the split by its
    running minimum towards there. Where f/b rises, this is f/b itself;
    where it falls, its estimate is limited by too few injections or events,
    such as beyond the loudest injection or below the quietest noise. At
    statistics below all nodes of both densities, f/b is constant.

    Args:
        foreground_model: f.
        background_model: b.
        origin: what the model was made of, for those who read its file.

    Attributes:
        foreground_model: f.
        background_model: b.
        origin: as given.
    """

    def __init__(
        self,
        foreground_model: KdeForeground,
        background_model: KdeAndPolynomialBackground,
        origin: Mapping[str, str] | None = None,
    ) -> None:
        self.foreground_model = foreground_model
        self.background_model = background_model
        self.origin = dict(origin or {})
        signal, noise = foreground_model.density, background_model.density
        self._nodes = np.union1d(signal.nodes, noise.nodes)
        log_ratio = signal.log_pdf(self._nodes) - noise.log_pdf(self._nodes)
        self._log_ratio = _rising(
            log_ratio, int(np.searchsorted(self._nodes, noise.split))
        )
        # Beyond the last node both logarithms are straight, and where the
        # line is above what was reached before, it is followed.
        self._rise = max(noise.decay - signal.decay, 0.0)
        if self._rise:
            reached = self._log_ratio[-1]
            crossing = (reached - log_ratio[-1]) / self._rise
            self._nodes = np.append(self._nodes, self._nodes[-1] + crossing)
            self._log_ratio = np.append(self._log_ratio, reached)

    def __call__(self, stats: ArrayLike) -> Array | float:
        """Give the probability that events are astrophysical.

        Args:
            stats: detection statistics, a number or an array.

        Returns:
            Probabilities, of the shape of ``stats``; zero at ``-inf``, by
            which tables mark that there is no event.

        Raises:
            UserError: if a statistic is NaN.
        """
        stats = checked_queries(stats)
        if not self.foreground_model.total_rate:
            return np.zeros(stats.shape) if stats.ndim else 0.0
        last = self._nodes[-1]
        log_odds = np.interp(stats, self._nodes, self._log_ratio)
        if self._rise:
            log_odds += self._rise * np.maximum(stats - last, 0)
        log_odds += np.log(self.foreground_model.total_rate) - np.log(
            self.background_model.total_rate
        )
        probability = np.where(np.isneginf(stats), 0.0, expit(log_odds))
        return probability if stats.ndim else float(probability)

    def at_rate(self, astro_event_rate: float) -> Self:
        """The same search of a universe with another rate of mergers.

        Args:
            astro_event_rate: mergers per Gpc^3 and year.

        Returns:
            Another model; nothing is estimated anew.

        Raises:
            UserError: if the rate is negative or not finite.
        """
        return type(self)(
            self.foreground_model.at_rate(astro_event_rate),
            self.background_model,
            self.origin,
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the model (see :mod:`p_astro.storage`).

        Args:
            path: the file, complete or absent.
        """
        storage.write(
            path,
            {
                "foreground": self.foreground_model,
                "background": self.background_model,
            },
            self.origin,
        )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a model, which evaluates to the very same numbers.

        Args:
            path: the file.

        Returns:
            The model.

        Raises:
            UserError: if there is no such file or it holds no such model.
        """
        models, origin = storage.read(
            path,
            {
                "foreground": KdeForeground,
                "background": KdeAndPolynomialBackground,
            },
        )
        return cls(models["foreground"], models["background"], origin)


def _rising(values: Array, anchor: int) -> Array:
    """Make values rise, leaving the one at the anchor as it is."""
    below, above = values[: anchor + 1], values[anchor:]
    return np.concatenate(
        [
            np.minimum.accumulate(below[::-1])[:0:-1],
            np.maximum.accumulate(above),
        ]
    )
