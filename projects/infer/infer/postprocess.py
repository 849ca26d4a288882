"""From network outputs to events."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from conventions.errors import UserError
from ledger.events import EventSet
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

Array = NDArray[np.float64]


def integrate(outputs: Array, window: int) -> Array:
    """Average each output with those before it, in a causal boxcar.

    Args:
        outputs: network outputs, 1-D.
        window: number of outputs in the boxcar, at least 1.

    Returns:
        Element i is the mean of outputs ``i - window + 1`` to ``i``; at the
        start, where there are fewer, the mean of those there are, since
        zeros in their place would be a signal to a network whose outputs
        for noise are negative.
    """
    size = len(outputs)
    if not size:
        return np.zeros(0)
    # Sums of equal windows are equal to the last bit, unlike differences of
    # a running sum, so that plateaus stay plateaus.
    total = np.convolve(outputs, np.ones(min(window, size)))[:size]
    return total / np.minimum(np.arange(1, size + 1), window)


def cluster(values: Array, reach: int) -> NDArray[np.int64]:
    """Find the samples that are the maximum of their surroundings.

    Args:
        values: 1-D.
        reach: samples on each side that belong to the surroundings.

    Returns:
        Indices, increasing, of samples that no sample within ``reach``
        exceeds and no earlier one within ``reach`` equals: of a plateau
        the first sample counts.
    """
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    around = maximum_filter1d(
        values, 2 * reach + 1, mode="constant", cval=-np.inf
    )
    peak = values >= around
    if reach:
        # The window of ``reach`` samples that ends just before each sample.
        before = maximum_filter1d(
            values,
            reach,
            mode="constant",
            cval=-np.inf,
            origin=(reach - 1) // 2,
        )
        peak[1:] &= values[1:] > before[:-1]
    return np.flatnonzero(peak)


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

    def times(self, start: float, indices: NDArray[np.int64]) -> Array:
        """Estimate coalescence times.

        Args:
            start: GPS second where the segment starts.
            indices: of outputs, counted from the end of the burn-in.

        Returns:
            GPS seconds: the right edge of the kernel minus the integration
            window.
        """
        edge = (
            self.psd_length
            + (indices + 1) / self.inference_sampling_rate
            - self.fduration / 2
        )
        return start + edge - self.integration_window_length

    def events(
        self, outputs: Array, start: float, shifts: Sequence[float]
    ) -> EventSet:
        """Find the events.

        Args:
            outputs: of the segment after the burn-in, 1-D.
            start: GPS second where the segment starts.
            shifts: delay of each channel, in seconds.

        Returns:
            The events in order of time, with the livetime of the outputs.

        Raises:
            UserError: if an output is not a number.
        """
        outputs = np.asarray(outputs, dtype=np.float64)
        if invalid := int(np.count_nonzero(~np.isfinite(outputs))):
            raise UserError(
                f"{invalid} of {len(outputs)} network outputs of the segment "
                f"at {start:.9g} with shifts {list(shifts)} are not finite"
            )
        integrated = integrate(outputs, self.window)
        peaks = cluster(integrated, self.reach)
        return EventSet(
            detection_statistic=integrated[peaks],
            detection_time=self.times(start, peaks),
            shift=np.tile(np.asarray(shifts, float), (len(peaks), 1)),
            Tb=len(outputs) / self.inference_sampling_rate,
        )
