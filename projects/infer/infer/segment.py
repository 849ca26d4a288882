"""Strain of one segment, read in blocks, and its gaps."""

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from conventions.errors import UserError
from numpy.typing import NDArray
from preprocessing.config import whole_samples

# Samples that are read together: a chunk of a background file.
BLOCK = 131_072
# Blocks of one channel that are kept, a megabyte each.
KEPT = 64


class SegmentStrain:
    """One segment of a background file, read by all its slides.

    Data are read in blocks when they are needed. The last ``KEPT`` blocks
    of each channel stay, 64 MiB a channel, however long the segment is: a
    pass of several slides together reads the file once, unless their delays
    lie further apart than that. May be used by several threads.

    Args:
        background: the background file.
        ifos: the channels, in order.
        sample_rate: what the data must be sampled at, in Hz.
        start: GPS second where the segment starts; the file's by default.
        stop: GPS second where it stops; the file's by default.

    Attributes:
        start: GPS second of the first sample.
        size: samples of each channel.

    Raises:
        UserError: for a file that is missing or unreadable, a missing ifo,
            another sample rate, or a segment beyond the file.
    """

    def __init__(
        self,
        background: Path,
        ifos: Sequence[str],
        sample_rate: float,
        start: float | None = None,
        stop: float | None = None,
    ) -> None:
        self.background = Path(background)
        self.ifos = tuple(ifos)
        self.sample_rate = sample_rate
        self._lock = threading.Lock()
        self._blocks: OrderedDict[tuple[int, int], NDArray[np.float64]]
        self._blocks = OrderedDict()
        self._gaps: dict[tuple[int, int], NDArray[np.int64]] = {}
        self._file = self._open()
        try:
            self._channels = [self._channel(ifo) for ifo in ifos]
            self._locate(start, stop)
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> h5py.File:
        if not self.background.is_file():
            raise UserError(f"there is no background file {self.background}")
        try:
            return h5py.File(self.background, "r")
        except OSError as error:
            raise UserError(
                f"{self.background} is not a readable HDF5 file: {error}"
            ) from error

    def _channel(self, ifo: str) -> h5py.Dataset:
        channel = self._file.get(ifo)
        if not isinstance(channel, h5py.Dataset):
            raise UserError(
                f"{self.background} has no channel {ifo}; it has "
                f"{', '.join(self._file) or 'none'}"
            )
        try:
            rate = 1 / float(channel.attrs["dx"])
            float(channel.attrs["x0"])
        except KeyError as error:
            raise UserError(
                f"{ifo} in {self.background} lacks the attribute {error}"
            ) from None
        if not math.isclose(rate, self.sample_rate, rel_tol=1e-9):
            raise UserError(
                f"sample_rate: {self.sample_rate:g} Hz expected, {ifo} in "
                f"{self.background} has {rate:g} Hz"
            )
        return channel

    def _locate(self, start: float | None, stop: float | None) -> None:
        """Find each channel's first sample and the common length."""
        begin = [float(channel.attrs["x0"]) for channel in self._channels]
        end = [
            x0 + channel.size / self.sample_rate
            for x0, channel in zip(begin, self._channels, strict=True)
        ]
        self.start = max(begin) if start is None else float(start)
        last = min(end) if stop is None else float(stop)
        if self.start < max(begin) or last > min(end):
            raise UserError(
                f"{self.background} holds GPS {max(begin)} to {min(end)}, "
                f"not {self.start} to {last}"
            )
        self.size = math.floor((last - self.start) * self.sample_rate + 1e-6)
        self._offsets = [
            whole_samples(
                f"start - x0 of {ifo}", self.start - x0, self.sample_rate
            )
            for ifo, x0 in zip(self.ifos, begin, strict=True)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(
        self, channel: int, first: int, data: NDArray[np.floating[Any]]
    ) -> None:
        """Read one channel; samples that are no numbers are zeros.

        Args:
            channel: index of the ifo.
            first: first sample, counted from the segment's start.
            data: takes the strain, of shape ``(time,)``, all of it within
                the segment.
        """
        begin = first + self._offsets[channel]
        end = begin + len(data)
        for index in range(begin // BLOCK, -(-end // BLOCK)):
            block, origin = self._block(channel, index), index * BLOCK
            low, high = max(begin, origin), min(end, origin + BLOCK)
            data[low - begin : high - begin] = block[
                low - origin : high - origin
            ]

    def gaps(self, channel: int, first: int, size: int) -> NDArray[np.int64]:
        """Find the samples that are no numbers.

        Args:
            channel: index of the ifo.
            first: first sample, counted from the segment's start.
            size: number of samples, all within the segment.

        Returns:
            First and one after the last sample of each gap, counted from
            the segment's start, in order, of shape ``(gap, 2)``; gaps may
            touch and reach beyond what is asked for.
        """
        begin = first + self._offsets[channel]
        found = [np.zeros((0, 2), np.int64)]
        for index in range(begin // BLOCK, -(-(begin + size) // BLOCK)):
            if (channel, index) not in self._gaps:
                self._block(channel, index)
            found.append(self._gaps[channel, index])
        return np.concatenate(found) - self._offsets[channel]

    def _block(self, channel: int, index: int) -> NDArray[np.float64]:
        """Some data, counted in samples of the file."""
        key = (channel, index)
        with self._lock:
            if key in self._blocks:
                self._blocks.move_to_end(key)
                return self._blocks[key]
            begin = index * BLOCK
            try:
                block = self._channels[channel][begin : begin + BLOCK]
            except OSError as error:
                raise UserError(
                    f"{self.ifos[channel]} in {self.background} cannot be "
                    f"read: {error}"
                ) from error
            block = block.astype(np.float64, copy=False)
            bad = ~np.isfinite(block)
            block[bad] = 0.0
            self._gaps[key] = runs(bad) + begin
            self._blocks[key] = block
            while len(self._blocks) > KEPT * len(self._channels):
                self._blocks.popitem(last=False)
            return block


def runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Find the half-open index ranges over which a mask is true.

    Args:
        mask: 1-D.

    Returns:
        First and one after the last index of each run, of shape
        ``(run, 2)``.
    """
    if not mask.any():
        return np.zeros((0, 2), np.int64)
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges).reshape(-1, 2)
