"""From the outputs of a slide to its events and livetime."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from conventions.errors import UserError
from ledger.events import EventSet
from ledger.livetime import LivetimeSet
from numpy.typing import NDArray

from infer.peaks import EventFinder, Found

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Postprocessor:
    """Turns the outputs of one segment and shift into events.

    Science.md, Streaming inference: integration, clustering, time.

    Attributes:
        psd_length: burn-in, in seconds.
        inference_sampling_rate: outputs per second, in Hz.
        fduration: length of the whitening filter in seconds.
        integration_window_length: of the boxcar, in seconds.
        cluster_window_length: an event is the maximum within half of it on
            each side, in seconds.

    Raises:
        UserError: on construction, for an integration window shorter than
            one output or a negative cluster window.
    """

    psd_length: float
    inference_sampling_rate: float
    fduration: float
    integration_window_length: float
    cluster_window_length: float

    def __post_init__(self) -> None:
        if self.window < 1:
            raise UserError(
                f"integration_window_length: {self.integration_window_length}"
                " s must hold at least one output, "
                f"{1 / self.inference_sampling_rate:g} s"
            )
        if not self.cluster_window_length >= 0:
            raise UserError(
                f"cluster_window_length: {self.cluster_window_length} s must "
                "not be negative"
            )

    @property
    def window(self) -> int:
        """Outputs in the boxcar."""
        samples = self.integration_window_length * self.inference_sampling_rate
        return int(np.floor(samples + 1e-6))

    @property
    def reach(self) -> int:
        """Outputs on each side of an event that must not exceed it."""
        samples = self.cluster_window_length * self.inference_sampling_rate
        return int(np.floor(samples / 2 + 1e-6))

    def finder(self) -> EventFinder:
        """Start looking for events in the outputs of one slide."""
        return EventFinder(self.window, self.reach)

    def right_edges(self, start: float, indices: NDArray[np.int64]) -> Array:
        """Right edges of kernels.

        Args:
            start: GPS second where the segment starts.
            indices: of outputs, counted from the end of the burn-in.

        Returns:
            GPS seconds.
        """
        edge = (
            self.psd_length
            + (indices + 1) / self.inference_sampling_rate
            - self.fduration / 2
        )
        return start + edge

    def times(self, start: float, indices: NDArray[np.int64]) -> Array:
        """Estimate coalescence times.

        Args:
            start: GPS second where the segment starts.
            indices: of outputs, counted from the end of the burn-in.

        Returns:
            GPS seconds: the right edge of the kernel minus the integration
            window.
        """
        edges = self.right_edges(start, indices)
        return edges - self.integration_window_length

    def events(
        self, found: Found, start: float, shifts: Sequence[float]
    ) -> EventSet:
        """Date the events.

        Args:
            found: in the slide's outputs after the burn-in.
            start: GPS second where the segment starts.
            shifts: delay of each channel, in seconds.

        Returns:
            The events in order of time, with the livetime of the outputs.
        """
        return EventSet(
            detection_statistic=found.statistic,
            detection_time=self.times(start, found.index),
            shift=_tiled(shifts, len(found.index)),
            Tb=float(np.diff(found.stretches).sum())
            / self.inference_sampling_rate,
        )

    def livetime(
        self, found: Found, start: float, shifts: Sequence[float]
    ) -> LivetimeSet:
        """Date the stretches that were analysed.

        Args:
            found: in the slide's outputs after the burn-in.
            start: GPS second where the segment starts.
            shifts: delay of each channel, in seconds.

        Returns:
            The stretches in the clock of the events' ``detection_time``:
            an event at output i lies at the start of its 1 /
            ``inference_sampling_rate`` seconds.
        """
        bounds = self.times(start, found.stretches)
        return LivetimeSet(
            start=bounds[:, 0],
            stop=bounds[:, 1],
            shift=_tiled(shifts, len(bounds)),
        )


def _tiled(shifts: Sequence[float], rows: int) -> Array:
    return np.tile(np.asarray(shifts, dtype=float), (rows, 1))
