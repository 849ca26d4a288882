"""What the densities of noise and signals have in common."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from conventions.errors import UserError
from numpy.typing import ArrayLike, NDArray

from p_astro.density import TailedKde

Array = NDArray[np.float64]


class RateDensity(ABC):
    """Events per unit of detection statistic and year.

    Attributes:
        ATTRIBUTES: numbers that, with the density, make the model.
        density: of the detection statistic, with integral one.
    """

    ATTRIBUTES: ClassVar[tuple[str, ...]]

    density: TailedKde

    @classmethod
    def restored(cls, density: TailedKde, **attributes: float) -> Self:
        """Make a model of its parts, as read from a file.

        Args:
            density: of the detection statistic.
            attributes: a value for each of ``ATTRIBUTES``.

        Returns:
            The model.
        """
        model = cls.__new__(cls)
        model.density = density
        for name in cls.ATTRIBUTES:
            setattr(model, name, attributes[name])
        return model

    @property
    @abstractmethod
    def total_rate(self) -> float:
        """Events of any statistic per year."""

    @property
    def split(self) -> float:
        """Detection statistic at which the exponential tail begins."""
        return self.density.split

    def __call__(self, stats: ArrayLike) -> Array | float:
        """Evaluate the rate density.

        Args:
            stats: detection statistics, a number or an array.

        Returns:
            Events per unit of statistic and year, of the shape of
            ``stats``; zero at either infinity.

        Raises:
            UserError: if a statistic is NaN.
        """
        stats = checked_queries(stats)
        rate = self.total_rate * np.exp(self.density.log_pdf(stats))
        return rate if stats.ndim else float(rate)


def checked_queries(stats: ArrayLike) -> Array:
    """Take detection statistics at which something is to be evaluated.

    Args:
        stats: a number or an array.

    Returns:
        The same in double precision.

    Raises:
        UserError: if one is NaN.
    """
    stats = np.asarray(stats, dtype=np.float64)
    bad = np.count_nonzero(np.isnan(stats))
    if bad:
        raise UserError(
            f"{bad} of {stats.size} detection statistics are NaN; an event "
            "needs a number"
        )
    return stats


def check_statistics(statistics: ArrayLike, name: str) -> NDArray[np.floating]:
    """Take detection statistics that a density can be made of.

    Args:
        statistics: a number each.
        name: how messages call them.

    Returns:
        The same as an array of shape ``(event,)``.

    Raises:
        UserError: if they are not of one dimension or one is not finite.
    """
    statistics = np.asarray(statistics)
    if statistics.ndim != 1:
        raise UserError(
            f"detection statistics of {name} have shape "
            f"{statistics.shape}; one dimension is needed"
        )
    if not statistics.size:
        return statistics.astype(np.float64)
    # Extremes first: a mask of all is needed only for the message.
    if not (np.isfinite(statistics.min()) and np.isfinite(statistics.max())):
        bad = np.count_nonzero(~np.isfinite(statistics))
        raise UserError(
            f"{bad} of {statistics.size} detection statistics of {name} are "
            "not finite"
        )
    return statistics
