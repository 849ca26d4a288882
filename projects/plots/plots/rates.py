"""Cumulative rates of background and zero-lag events."""

from dataclasses import dataclass

import numpy as np
from ledger.events import SECONDS_IN_YEAR, EventSet
from ledger.intervals import poisson_interval
from numpy.typing import NDArray

Array = NDArray[np.float64]

HIGHEST_FAR = SECONDS_IN_YEAR / 60
"""One a minute: no search is of use above (1/yr)."""

POINTS = 400
"""Points of a curve over all events, evenly spaced in log(rank)."""


@dataclass(frozen=True)
class CumulativeRate:
    """Rate of events at least as significant, against significance.

    Attributes:
        statistic: detection statistics, descending, shape ``(point,)``.
        ifar: inverse false-alarm rate (yr) of those statistics.
        count: events with a statistic at least as high.
        livetime: time in which they were counted (s).
    """

    statistic: Array
    ifar: Array
    count: NDArray[np.int64]
    livetime: float

    @property
    def rate(self) -> Array:
        """Cumulative rate (1/yr)."""
        return self.count * SECONDS_IN_YEAR / self.livetime

    def band(self, level: float) -> tuple[Array, Array]:
        """Poisson interval of the rate.

        Args:
            level: probability content.

        Returns:
            Lower and upper end (1/yr), each of shape ``(point,)``.
        """
        low, high = poisson_interval(self.count, level)
        scale = SECONDS_IN_YEAR / self.livetime
        return np.asarray(low) * scale, np.asarray(high) * scale


def log_ranks(total: int, points: int = POINTS) -> NDArray[np.int64]:
    """Choose ranks 1 to ``total``, evenly spaced in their logarithm.

    Args:
        total: the last rank.
        points: how many to choose at most.

    Returns:
        Distinct ascending ranks; all of them when there are few, none when
        ``total`` is 0.
    """
    if total <= points:
        return np.arange(1, total + 1)
    return np.unique(np.rint(np.geomspace(1, total, points)).astype(np.int64))


def cumulative_rate(
    events: EventSet, background: EventSet, points: int = POINTS
) -> CumulativeRate:
    """Rate of ``events`` against their IFAR under ``background``.

    Args:
        events: the events to be counted; the background itself or those of
            zero lag.
        background: the events that give the false-alarm rate.
        points: how many points the curve has at most.

    Returns:
        The curve, most significant event first.
    """
    statistics = np.sort(events.detection_statistic)
    chosen = statistics[len(events) - log_ranks(len(events), points)]
    return CumulativeRate(
        chosen,
        1 / background.far(chosen),
        events.nb(chosen),
        float(events.Tb),
    )


def far_axis(background: EventSet, points: int = 200) -> Array:
    """False-alarm rates that a background resolves.

    Args:
        background: its events and livetime.
        points: how many rates at most.

    Returns:
        Ascending rates (1/yr) from ``1/Tb`` to that above which every
        event counts, or one a minute where that is less. Each is a whole
        number of events in ``Tb``.

    Raises:
        UserError: if there is no livetime.
    """
    lowest = background.min_far
    highest = min(len(background) - 1, int(HIGHEST_FAR / lowest))
    # In the very order of the event set's own rates, to the last bit.
    ranks = log_ranks(max(highest, 1), points)
    return SECONDS_IN_YEAR * ranks / background.Tb
