"""Peaks of integrated network outputs, however they arrive."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infer.segment import runs

Array = NDArray[np.float64]

# Outputs that are looked at together: temporaries stay in the cache.
BLOCK = 2**16


def integrate(outputs: NDArray[np.floating], window: int) -> Array:
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
    padded = np.concatenate([np.zeros(window - 1), outputs])
    return _sums(padded, window) / np.minimum(np.arange(1, size + 1), window)


def _sums(values: Array, window: int) -> Array:
    """Sum each ``window`` neighbours, of shape (time - window + 1,).

    Sums of twice as many are sums of two neighbours, and the binary digits
    of ``window`` say which to add. Every window is summed in the same
    order, so that equal windows have equal sums, unlike differences of a
    running sum: plateaus stay plateaus, whatever block they are in.
    """
    size = len(values) - window + 1
    power = np.asarray(values, dtype=np.float64)
    total, summed, length = np.zeros(size), 0, 1
    while True:
        if window & length:
            total += power[summed : summed + size]
            summed += length
        if summed == window:
            return total
        power = power[:-length] + power[length:]
        length *= 2


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
    size = len(values)
    if not reach:
        return np.arange(size)
    edge = np.full(reach, -np.inf)
    largest = _maxima(np.concatenate([edge, values, edge]), reach)
    # Element i is the maximum of the ``reach`` samples before sample i.
    before, after = largest[:size], largest[reach + 1 :]
    return np.flatnonzero((values > before) & (values >= after))


def _maxima(values: Array, window: int) -> Array:
    """Maximum of each ``window`` neighbours, of shape (time - window + 1,).

    Two windows of a power of two that overlap cover any other.
    """
    size, length = len(values) - window + 1, 1
    while 2 * length <= window:
        values = np.maximum(values[:-length], values[length:])
        length *= 2
    offset = window - length
    return np.maximum(values[:size], values[offset : offset + size])


@dataclass(frozen=True)
class Found:
    """Events among the outputs of one slide.

    Attributes:
        statistic: integrated outputs of the events, of shape ``(event,)``.
        index: of their outputs, increasing, of shape ``(event,)``.
        stretches: first and one after the last index of each contiguous
            run of outputs, of shape ``(stretch, 2)``.
    """

    statistic: Array
    index: NDArray[np.int64]
    stretches: NDArray[np.int64]


class EventFinder:
    """Integrates and clusters outputs that come piece by piece.

    However the outputs are cut into pieces, the events are the same to the
    last bit. Memory does not grow with the outputs, but for the events
    themselves.

    Args:
        window: outputs in the boxcar.
        reach: outputs on each side of an event that must not exceed it.
    """

    def __init__(self, window: int, reach: int) -> None:
        self.window = window
        self.reach = reach
        self._block = max(BLOCK, 4 * (window + 2 * reach))
        self._waiting: list[NDArray[np.floating]] = []
        self._waiting_size = 0
        # Outputs looked at so far, those of them in the present stretch.
        self._seen = 0
        self._length = 0
        # The stretch's last outputs, and its last integrated ones; of
        # these, all but the last ``reach`` at most are only surroundings.
        self._tail = np.zeros(window - 1)
        self._values = np.zeros(0)
        self._undecided = 0
        self._peaks: list[NDArray[np.int64]] = []
        self._statistics: list[Array] = []
        self._stretches: list[tuple[int, int]] = []

    def feed(self, outputs: NDArray[np.floating]) -> None:
        """Take the outputs that follow.

        Args:
            outputs: 1-D; NaN where there are none: the boxcar and the
                clustering start anew behind.
        """
        for begin in range(0, len(outputs), self._block):
            piece = outputs[begin : begin + self._block]
            self._waiting.append(piece)
            self._waiting_size += len(piece)
            if self._waiting_size >= self._block:
                self._flush()

    def finish(self) -> Found:
        """Give what was found, after the last outputs."""
        self._flush()
        self._end_stretch()
        empty = np.zeros(0)
        stretches = np.array(self._stretches, dtype=np.int64)
        return Found(
            statistic=np.concatenate([empty, *self._statistics]),
            index=np.concatenate([empty.astype(np.int64), *self._peaks]),
            stretches=stretches.reshape(-1, 2),
        )

    def _flush(self) -> None:
        if not self._waiting:
            return
        outputs = np.concatenate(self._waiting)
        self._waiting, self._waiting_size = [], 0
        origin, self._seen = self._seen, self._seen + len(outputs)
        for begin, end in runs(~np.isnan(outputs)).tolist():
            if begin or not self._length:
                self._end_stretch()
                self._stretches.append((origin + begin, origin + begin))
            self._extend(outputs[begin:end])
        if len(outputs) and np.isnan(outputs[-1]):
            self._end_stretch()

    def _extend(self, outputs: NDArray[np.floating]) -> None:
        """Continue the present stretch."""
        size = len(outputs)
        known = np.concatenate([self._tail, outputs])
        there = np.arange(self._length + 1, self._length + size + 1)
        new = _sums(known, self.window) / np.minimum(there, self.window)
        self._tail = known[size:]
        self._length += size
        start, stop = self._stretches[-1]
        self._stretches[-1] = (start, stop + size)
        self._values = np.concatenate([self._values, new])
        self._undecided += size
        self._decide(self._undecided - self.reach)

    def _decide(self, count: int) -> None:
        """Find the events among the first ``count`` undecided values."""
        if count <= 0:
            return
        size = len(self._values)
        first = size - self._undecided
        peaks = cluster(self._values, self.reach)
        peaks = peaks[(peaks >= first) & (peaks < first + count)]
        self._statistics.append(self._values[peaks])
        self._peaks.append(self._stretches[-1][1] - size + peaks)
        self._undecided -= count
        self._values = self._values[max(first + count - self.reach, 0) :]

    def _end_stretch(self) -> None:
        self._decide(self._undecided)
        self._length = 0
        self._tail = np.zeros(self.window - 1)
        self._values = np.zeros(0)
