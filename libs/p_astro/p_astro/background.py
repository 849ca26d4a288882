"""Rate density of noise events."""

from typing import Self

import numpy as np
from conventions.errors import UserError
from ledger.events import SECONDS_IN_YEAR, EventSet
from numpy.typing import NDArray

from p_astro.density import TailedKde
from p_astro.rate import RateDensity, check_statistics


class KdeAndPolynomialBackground(RateDensity):
    """Noise events per unit of detection statistic and year.

    The events' number over the livetime times
    :class:`~p_astro.density.TailedKde`: a kernel density estimate, continued
    by a polynomial of first degree in the logarithm where events get sparse.

    Args:
        background: events of time-slides, with their livetime ``Tb``.

    Attributes:
        count: number of events.
        livetime: in seconds.

    Raises:
        UserError: if there is no livetime.
        FitError: a ``UserError``, if the events are too few for a density.
    """

    ATTRIBUTES = ("count", "livetime")

    def __init__(self, background: EventSet) -> None:
        self._fit(background.detection_statistic, background.Tb)

    @classmethod
    def from_arrays(
        cls, statistics: NDArray[np.floating], livetime: float
    ) -> Self:
        """Estimate the density of plain numbers.

        Args:
            statistics: finite detection statistics, shape ``(event,)``.
            livetime: in which they were found, in seconds.

        Returns:
            The model.

        Raises:
            UserError: as the class; also if a statistic is not finite.
            FitError: as the class.
        """
        model = cls.__new__(cls)
        model._fit(statistics, livetime)
        return model

    def _fit(self, statistics: NDArray[np.floating], livetime: float) -> None:
        if not 0 < livetime < np.inf:
            raise UserError(
                f"the background has a livetime of {livetime} s; its rate "
                "needs a positive one"
            )
        statistics = check_statistics(statistics, "the background")
        self.count = statistics.size
        self.livetime = float(livetime)
        self.density = TailedKde.fit(statistics, None, "the background")

    @property
    def total_rate(self) -> float:
        """Events of any statistic per year."""
        return self.count / self.livetime * SECONDS_IN_YEAR
