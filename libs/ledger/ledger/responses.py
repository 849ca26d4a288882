"""Responses with their place in the data, which they are added to."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from conventions.errors import UserError

from ledger import shifts as shift_search
from ledger import storage
from ledger.ledger import PATH, parameter
from ledger.placement import add_waveform, first_samples
from ledger.shifts import Shifted
from ledger.waveform_set import WaveformSet


@dataclass(eq=False)
class InterferometerResponseSet(Shifted, WaveformSet):
    """Waveforms with their place in (time-shifted) data.

    Attributes:
        injection_time: geocentric coalescence time in GPS seconds, as read
            in the shifted data, shape (row,).
        shift: seconds by which each ifo is read later, shape (row, ifo).
    """

    injection_time: np.ndarray = parameter()
    shift: np.ndarray = parameter()

    def get_times(
        self, start: float | None = None, end: float | None = None
    ) -> Self:
        """Choose the rows that coalesce in [start, end).

        Args:
            start: GPS seconds.
            end: GPS seconds.

        Raises:
            UserError: if neither is given.
        """
        if start is None and end is None:
            raise UserError("get_times needs a start, an end, or both")
        mask = np.ones(len(self), dtype=bool)
        if start is not None:
            mask &= self.injection_time >= start
        if end is not None:
            mask &= self.injection_time < end
        return self[mask]

    @classmethod
    def read(
        cls,
        fname: PATH,
        start: float | None = None,
        end: float | None = None,
        shifts: np.ndarray | None = None,
    ) -> Self:
        """Read the rows whose waveforms reach into a stretch of data.

        Args:
            fname: the file.
            start: beginning of the stretch in GPS seconds.
            end: end of the stretch in GPS seconds.
            shifts: seconds, one shift of shape (ifo,) or several of shape
                (shift, ifo).

        Returns:
            The rows, in their order. Only they are read.

        Raises:
            UserError: if the file is missing, truncated or foreign, or has
                shifts for another number of ifos.
        """
        if start is None and end is None and shifts is None:
            return super().read(fname)
        with storage.opened(fname) as file:
            length = storage.read_length(file)
            mask = np.ones(length, dtype=bool)
            if shifts is not None and length:
                column = storage.find_column(
                    file, "parameter", "shift", length
                )
                mask &= shift_search.matches(column.read(), shifts)
            if length and not (start is None and end is None):
                column = storage.find_column(
                    file, "parameter", "injection_time", length
                )
                mask &= _reach(
                    column.read(),
                    cls._metadata_from_file(file, length),
                    fname,
                    -np.inf if start is None else start,
                    np.inf if end is None else end,
                )
            return cls._from_file(file, np.flatnonzero(mask))

    def inject(self, x: np.ndarray, start: float) -> np.ndarray:
        """Add the waveforms to data.

        Waveforms are placed to the nearest sample. Those that cross an edge
        are added as far as they reach in, so that data can be handed over
        in batches of any size: the sum is the same, sample for sample.

        Args:
            x: strain of shape (ifo, time) at the waveforms' sample rate.
            start: GPS time of its first sample.

        Returns:
            A new array of the shape and dtype of ``x``.

        Raises:
            UserError: if the ifos of ``x`` and of the waveforms differ in
                number, or there are no waveforms to add.
        """
        self._need_waveforms()
        names = self.waveform_fields
        if x.ndim != 2 or len(x) != len(names):
            raise UserError(
                f"data of shape {x.shape} cannot take the waveforms of "
                f"{', '.join(names)}; shape (ifo, time) is needed"
            )
        x = x.copy()
        if not len(self):
            return x
        if self.right_pad is None:
            raise UserError(
                f"{type(self).__name__} has no right_pad, so the place of "
                "the coalescence in its waveforms is unknown"
            )
        first = first_samples(
            self.injection_time,
            start,
            self.sample_rate,
            self.duration - self.right_pad,
        )
        for channel, name in zip(x, names, strict=True):
            waveforms = getattr(self, name)
            reach = first + waveforms.shape[1]
            for row in np.flatnonzero((reach > 0) & (first < len(channel))):
                add_waveform(channel, waveforms[row], int(first[row]))
        return x


def _reach(
    times: np.ndarray,
    metadata: dict[str, Any],
    fname: PATH,
    start: float,
    end: float,
) -> np.ndarray:
    """Find the waveforms that reach into [start, end), to a sample."""
    needed = ("sample_rate", "duration", "right_pad")
    missing = [name for name in needed if metadata[name] is None]
    if missing:
        raise UserError(f"{fname}: no root attribute {', '.join(missing)}")
    rate, duration, right_pad = (metadata[name] for name in needed)
    last = times + right_pad + 1 / rate
    first = times - (duration - right_pad) - 1 / rate
    return (last >= start) & (first <= end)
