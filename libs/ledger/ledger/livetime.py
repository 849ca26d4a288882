"""How long was searched, and how much of it is vetoed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from conventions.errors import UserError

from ledger.ledger import Ledger, parameter
from ledger.shifts import Shifted, by_ifo, codes
from ledger.vetos import merge_intervals


@dataclass(eq=False)
class LivetimeSet(Shifted, Ledger):
    """Contiguous stretches of (time-shifted) data that were searched.

    Attributes:
        start: GPS start in seconds, as read in the shifted data: the clock
            of ``EventSet.detection_time``; shape (stretch,).
        stop: its end, which does not belong to it, shape (stretch,).
        shift: seconds by which each ifo is read later, shape
            (stretch, ifo).

    Raises:
        UserError: at construction, if a stretch ends before it starts, or
            a bound is not finite.
    """

    start: np.ndarray = parameter()
    stop: np.ndarray = parameter()
    shift: np.ndarray = parameter()

    def __post_init__(self) -> None:
        super().__post_init__()
        finite = np.isfinite(self.start) & np.isfinite(self.stop)
        wrong = ~(finite & (self.start <= self.stop))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise UserError(
                f"{type(self).__name__}: stretch {row} is "
                f"({self.start[row]}, {self.stop[row]}); finite times with "
                "start <= stop are needed"
            )

    @property
    def duration(self) -> np.ndarray:
        """Length of each stretch in seconds, shape (stretch,)."""
        return self.stop - self.start

    @property
    def Tb(self) -> float:  # noqa: N802 (name of the science)
        """Length of all stretches together in seconds."""
        return float(self.duration.sum())

    def vetoed(self, vetos: Sequence[np.ndarray]) -> float:
        """Give the time in which at least one ifo is vetoed.

        A moment t of a stretch is vetoed if t + shift[j] lies in a vetoed
        interval of any ifo j: the rule of ``EventSet.apply_vetos``.
        Stretches count each for itself, also where they overlap.

        Args:
            vetos: for each ifo, in the order of ``shift``, GPS start and
                stop in seconds of that ifo's own data, shape
                (interval, 2), in any order.

        Returns:
            Seconds, between 0 and ``Tb``.

        Raises:
            UserError: if the number of ifos is another one, or an interval
                ends before it starts.
        """
        merged = [merge_intervals(intervals) for intervals in vetos]
        if not len(self):
            return 0.0
        if by_ifo(self.shift).shape[1] != len(merged):
            raise UserError(
                f"vetoes of {len(merged)} interferometers cannot be applied "
                f"to shifts of shape {self.shift.shape}"
            )
        # Within one shift, the clocks of all ifos keep their distance.
        group, _ = codes(self.shift, self.shift[:0])
        order = np.argsort(group, kind="stable")
        edges = np.flatnonzero(np.diff(group[order])) + 1
        total = 0.0
        for rows in np.split(order, edges):
            total += self._vetoed_in_shift(rows, merged)
        return total

    def _vetoed_in_shift(
        self, rows: np.ndarray, merged: Sequence[np.ndarray]
    ) -> float:
        """Give the vetoed seconds of rows that have one shift."""
        start, stop = self.start[rows], self.stop[rows]
        first, last = start.min(), stop.max()
        pieces = []
        shifts = by_ifo(self.shift)[rows[0]]
        for intervals, shift in zip(merged, shifts, strict=True):
            begin = np.searchsorted(intervals[:, 1], first + shift, "right")
            end = np.searchsorted(intervals[:, 0], last + shift, "left")
            pieces.append(intervals[begin:end] - shift)
        union = merge_intervals(np.clip(np.concatenate(pieces), first, last))
        before = _time_before(union, stop) - _time_before(union, start)
        return float(before.sum())


def _time_before(merged: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Give how much of sorted disjoint intervals lies before each time."""
    lengths = np.concatenate([[0.0], np.cumsum(merged[:, 1] - merged[:, 0])])
    index = np.searchsorted(merged[:, 0], times, side="right")
    ends = np.concatenate([[-np.inf], merged[:, 1]])
    return lengths[index] - np.maximum(ends[index] - times, 0.0)
