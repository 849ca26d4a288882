"""Events of a search, and the injections that it recovered."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
from conventions.errors import UserError

from ledger import shifts
from ledger.injections import InterferometerResponseSet
from ledger.ledger import Ledger, metadata, parameter
from ledger.matching import nearest_events
from ledger.ordering import PIECE, count_below, rises, round_up
from ledger.shifts import Shifted
from ledger.vetos import inside, merge_intervals

# A Julian year, LAL's YRJUL_SI.
SECONDS_IN_YEAR = 31_557_600

F = TypeVar("F", float, np.ndarray)


@dataclass(eq=False)
class EventSet(Shifted, Ledger):
    """Events found in a stretch of (time-shifted) data.

    The columns are meant to be replaced, not written into: the sorted
    statistics are remembered per array.

    Attributes:
        detection_statistic: shape (event,).
        detection_time: estimated coalescence time in GPS seconds, as read
            in the shifted data, shape (event,).
        shift: seconds by which each ifo is read later, shape (event, ifo).
        Tb: livetime in which the events were found, in seconds.

    Raises:
        UserError: at construction, if a statistic is NaN or +inf (above
            which no threshold lies), or ``Tb`` is not a finite number of
            seconds >= 0.
    """

    detection_statistic: np.ndarray = parameter()
    detection_time: np.ndarray = parameter()
    shift: np.ndarray = parameter()
    Tb: float = metadata(default=0.0, merge="add")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_statistic()
        self._sorted: tuple[np.ndarray, np.ndarray] | None = None
        self._counted: np.ndarray | None = None

    def _check_statistic(self) -> None:
        # The largest of values is NaN if one is; finding it takes no memory.
        statistic = self.detection_statistic
        if not len(self) or statistic.max() < np.inf:
            return
        for what, bad in (
            ("NaN", np.isnan(statistic)),
            ("+inf", np.isposinf(statistic)),
        ):
            if bad.any():
                raise UserError(
                    f"{type(self).__name__}: {np.count_nonzero(bad)} of "
                    f"{len(self)} detection statistics are {what}"
                )

    @classmethod
    def _check_metadata(cls, metadata: dict[str, Any], length: int) -> None:
        super()._check_metadata(metadata, length)
        livetime = metadata["Tb"]
        if (
            not isinstance(livetime, int | float)
            or not 0 <= livetime < math.inf
        ):
            raise UserError(
                f"{cls.__name__}: Tb is {livetime!r}; a finite number of "
                "seconds >= 0 is needed"
            )

    def _sorted_statistic(self) -> np.ndarray:
        statistic = self.detection_statistic
        if self._sorted is None or self._sorted[0] is not statistic:
            ordered = statistic if rises(statistic) else np.sort(statistic)
            self._sorted = (statistic, ordered)
        return self._sorted[1]

    def _below(self, threshold: np.ndarray) -> np.ndarray:
        """Count the events below thresholds that have the column's dtype.

        The first question about many unsorted events is answered in
        pieces: a sorted copy takes as much memory as the column, and many
        tables are asked once. The second makes it, and it is remembered.
        """
        statistic = self.detection_statistic
        once = len(self) > PIECE and self._counted is not statistic
        if once and self._sorted is None and not rises(statistic):
            self._counted = statistic
            return count_below(statistic, threshold)
        return np.searchsorted(self._sorted_statistic(), threshold, "left")

    def _rate(self, count: F) -> F:
        """Give ``count`` events in the livetime as a rate in 1/yr."""
        if not self.Tb > 0:
            raise UserError(
                f"{type(self).__name__} has a livetime Tb of {self.Tb} s; "
                "rates need a positive one"
            )
        return SECONDS_IN_YEAR * count / self.Tb

    @property
    def min_far(self) -> float:
        """The smallest false alarm rate that Tb resolves, 1/Tb in 1/yr.

        Raises:
            UserError: if there is no livetime.
        """
        return self._rate(1)

    def nb(self, threshold: F) -> F:
        """Count the events at least as loud as a threshold.

        Args:
            threshold: detection statistic, a number or an array.

        Returns:
            The count, of the shape of ``threshold``.

        Raises:
            UserError: if a threshold is NaN.
        """
        threshold = np.asarray(threshold)
        bad = np.count_nonzero(np.isnan(threshold))
        if bad:
            raise UserError(f"{bad} of {threshold.size} thresholds are NaN")
        if not threshold.ndim:
            return int(self._count(threshold))
        # Sorted thresholds walk through memory in order.
        order = np.argsort(threshold, axis=None)
        count = np.empty(threshold.size, dtype=np.int64)
        count[order] = self._count(threshold.ravel()[order])
        return count.reshape(threshold.shape)

    def _count(self, threshold: np.ndarray) -> np.ndarray:
        dtype = self.detection_statistic.dtype
        return len(self) - self._below(round_up(threshold, dtype))

    def far(self, threshold: F) -> F:
        """Give the false alarm rate of a threshold, never below 1/Tb.

        Args:
            threshold: detection statistic, a number or an array.

        Returns:
            The rate in 1/yr, of the shape of ``threshold``.

        Raises:
            UserError: if there is no livetime, or a threshold is NaN.
        """
        rate = self._rate(np.maximum(self.nb(threshold), 1))
        return rate if np.ndim(threshold) else float(rate)

    def significance(self, threshold: F, T: float) -> F:
        """Give the probability of a false alarm within an observing time.

        1 - exp(-T (1 + N_b) / Tb), arXiv:1508.02357 eq. 17.

        Args:
            threshold: detection statistic, a number or an array.
            T: observing time in seconds.

        Returns:
            The probability, of the shape of ``threshold``.

        Raises:
            UserError: if there is no livetime, or a threshold is NaN.
        """
        per_second = self._rate(1 + self.nb(threshold)) / SECONDS_IN_YEAR
        return -np.expm1(-T * per_second)

    def threshold_at_far(self, far: F) -> F:
        """Give the smallest threshold whose false alarm rate is allowed.

        Every float below it has a rate above ``far``; it is -inf where all
        events together are rare enough.

        Args:
            far: rate in 1/yr, a number or an array.

        Returns:
            The detection statistic, of the shape of ``far``.

        Raises:
            UserError: if a rate is NaN or below 1/Tb.
        """
        rates = np.atleast_1d(np.asarray(far, dtype=float))
        if not np.all(rates >= self.min_far):
            raise UserError(
                f"a false alarm rate of {np.min(rates)} per year is below "
                f"{self.min_far} per year, the smallest that a livetime of "
                f"{self.Tb} s resolves (1/Tb)"
            )
        # The count is found by the very comparison that `far` makes.
        allowed = np.floor(rates * self.Tb / SECONDS_IN_YEAR)
        allowed += self._rate(allowed + 1) <= rates
        allowed -= self._rate(allowed) > rates
        threshold = np.full(rates.shape, -np.inf)
        limited = allowed < len(self)
        place = len(self) - 1 - allowed[limited].astype(np.int64)
        excluded = self._sorted_statistic()[place].astype(float)
        threshold[limited] = np.nextafter(excluded, np.inf)
        return threshold if np.ndim(far) else float(threshold[0])

    def apply_vetos(
        self,
        vetos: np.ndarray | Sequence[tuple[float, float]],
        idx: int,
        chunk_size: int = 500_000,
        inplace: bool = False,
        return_mask: bool = False,
    ) -> "Self | tuple[Self, np.ndarray]":
        """Remove the events that lie in vetoed times of one ifo.

        An event's time in that ifo is ``detection_time + shift[:, idx]``.
        The livetime stays as it is.

        Args:
            vetos: GPS start and stop in seconds, shape (interval, 2); the
                stop does not belong to an interval.
            idx: which ifo, by its position in ``shift``.
            chunk_size: number of events looked at together.
            inplace: change this table instead of making another one.
            return_mask: also return which events were vetoed.

        Returns:
            The events that are left, in their order; with ``return_mask``
            also the mask of shape (event,), true where vetoed.

        Raises:
            UserError: if an interval is reversed, or ``shift`` has no
                column ``idx``; shifts of shape (event,) are those of the
                one ifo 0.
        """
        merged = merge_intervals(vetos)
        mask = np.zeros(len(self), dtype=bool)
        shift = shifts.by_ifo(self.shift)
        if len(self) and not 0 <= idx < shift.shape[1]:
            raise UserError(
                f"no ifo {idx} in shifts of shape {self.shift.shape}"
            )
        for start in range(0, len(self), chunk_size):
            rows = slice(start, start + chunk_size)
            times = self.detection_time[rows] + shift[rows, idx]
            mask[rows] = inside(times, merged)
        kept = self[~mask]
        if inplace:
            for name in self.columns():
                setattr(self, name, getattr(kept, name))
            self.__post_init__()
            kept = self
        return (kept, mask) if return_mask else kept


@dataclass(eq=False)
class RecoveredInjectionSet(EventSet, InterferometerResponseSet):
    """Injections, each with the event that it made.

    A missed injection has the statistic -inf, which says that it is missed,
    and the time NaN. ``Tb`` is the livetime searched; ``num_injections``
    counts the rejected ones too.
    """

    @property
    def found(self) -> np.ndarray:
        """Which injections have a statistic above -inf, (injection,)."""
        return self.detection_statistic > -np.inf

    @classmethod
    def recover(
        cls,
        events: EventSet,
        injections: InterferometerResponseSet,
        recovery_window: float = 2.0,
    ) -> Self:
        """Give each injection the nearest event of its shift.

        Args:
            events: events of the search with injections; those with the
                statistic -inf are none.
            injections: what was injected; waveforms are not kept.
            recovery_window: the largest distance in seconds between
                detection time and injection time, inclusive.

        Returns:
            One row per injection, in their order; of two equally near
            events the louder is taken, and an event can be taken twice.

        Raises:
            UserError: if the window is negative or NaN, or the shifts are
                for different numbers of ifos.
        """
        if not recovery_window >= 0:
            raise UserError(
                f"recovery_window is {recovery_window} s; it must be >= 0"
            )
        silent = events.detection_statistic == -np.inf
        if silent.any():
            events = events[~silent]
        group, event_group = shifts.codes(injections.shift, events.shift)
        nearest = nearest_events(
            events.detection_time,
            events.detection_statistic,
            event_group,
            injections.injection_time,
            group,
            recovery_window,
        )
        found = nearest >= 0
        statistic = np.full(len(injections), -np.inf)
        time = np.full(len(injections), np.nan)
        statistic[found] = events.detection_statistic[nearest[found]]
        time[found] = events.detection_time[nearest[found]]
        taken = cls.columns() | dict.fromkeys(cls.metadata_fields(), "")
        own = {"detection_statistic", "detection_time", "Tb"}
        return cls(
            detection_statistic=statistic,
            detection_time=time,
            Tb=events.Tb,
            **{name: getattr(injections, name) for name in set(taken) - own},
        )
