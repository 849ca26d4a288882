"""Strain of one segment and shift, in the order of the requests."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, Self

import h5py
import numpy as np
from conventions.errors import UserError
from numpy.typing import NDArray
from preprocessing.config import whole_samples

from infer.layout import StreamLayout


class Injections(Protocol):
    """Signals that can be added to strain."""

    def __len__(self) -> int:
        """Number of signals."""
        ...

    def inject(
        self, x: NDArray[np.float64], start: float
    ) -> NDArray[np.float64]:
        """Return ``x`` of shape (ifo, time), from ``start``, plus signals."""
        ...


class SegmentReader:
    """Reads a background file with one delay per interferometer.

    Sample k of channel j is the one recorded ``shifts[j]`` seconds and k
    samples after ``start`` (science.md, Time-slides). Data are read when
    they are needed, a request at a time.

    Args:
        background: the background file.
        ifos: the channels, in order.
        sample_rate: what the data must be sampled at, in Hz.
        shifts: delay of each channel, in seconds.
        start: GPS second where the segment starts; the file's by default.
        stop: GPS second where it stops; the file's by default.

    Attributes:
        start: GPS second of the first sample, before the delay.
        num_samples: samples for which every channel has data.

    Raises:
        UserError: for a file that is missing or unreadable, a missing ifo,
            another sample rate, a segment beyond the file, or a delay that
            is negative, not a whole number of samples or too long.
    """

    def __init__(
        self,
        background: Path,
        ifos: Sequence[str],
        sample_rate: float,
        shifts: Sequence[float],
        start: float | None = None,
        stop: float | None = None,
    ) -> None:
        self.background = Path(background)
        self.sample_rate = sample_rate
        if len(shifts) != len(ifos):
            raise UserError(
                f"shifts: {list(shifts)} must name one delay for each of "
                f"{', '.join(ifos)}"
            )
        if any(not 0 <= shift < math.inf for shift in shifts):
            raise UserError(
                f"shifts: {list(shifts)} must be zero or positive seconds"
            )
        self._file = self._open()
        try:
            self._channels = [self._channel(ifo) for ifo in ifos]
            self._locate(ifos, shifts, start, stop)
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

    def _locate(
        self,
        ifos: Sequence[str],
        shifts: Sequence[float],
        start: float | None,
        stop: float | None,
    ) -> None:
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
        size = math.floor((last - self.start) * self.sample_rate + 1e-6)
        delays = [
            whole_samples(f"shift of {ifo}", shift, self.sample_rate)
            for ifo, shift in zip(ifos, shifts, strict=True)
        ]
        self.num_samples = size - max(delays)
        if self.num_samples < 1:
            raise UserError(
                f"shifts: {list(shifts)} leave nothing of the "
                f"{last - self.start:g} s in {self.background}"
            )
        self._offsets = [
            delay
            + whole_samples(
                f"start - x0 of {ifo}", self.start - x0, self.sample_rate
            )
            for ifo, delay, x0 in zip(ifos, delays, begin, strict=True)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, first: int, size: int) -> NDArray[np.float64]:
        """Read strain; zeros where the segment has none.

        Args:
            first: first sample, relative to the segment's start; may be
                negative.
            size: number of samples.

        Returns:
            Strain of shape ``(ifo, size)``.

        Raises:
            UserError: naming the channel and the time of the first sample
                that is not a number.
        """
        strain = np.zeros((len(self._channels), size))
        begin, end = max(first, 0), min(first + size, self.num_samples)
        if begin >= end:
            return strain
        target = np.s_[begin - first : end - first]
        for row, channel, offset in zip(
            strain, self._channels, self._offsets, strict=True
        ):
            row[target] = channel[begin + offset : end + offset]
            if not np.isfinite(row).all():
                self._report(channel, offset + begin, row[target])
        return strain

    def _report(
        self, channel: h5py.Dataset, first: int, data: NDArray[np.float64]
    ) -> None:
        sample = first + int(np.argmin(np.isfinite(data)))
        time = float(channel.attrs["x0"]) + sample / self.sample_rate
        raise UserError(
            f"{channel.name.strip('/')} in {self.background} is "
            f"{channel[sample]} at GPS {time:.6f}: segments must be free of "
            "gaps"
        )

    def updates(
        self, layout: StreamLayout, injections: Injections | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Strain of each request of a sequence.

        Args:
            layout: how the segment is cut.
            injections: signals for the second stream; without any, there
                is one stream.

        Yields:
            Strain of shape ``(S, ifo, update_size)``: the background and,
            with injections, the background plus signals.
        """
        for request in range(layout.num_requests):
            first = layout.first_sample(request)
            strain = self.read(first, layout.update_size)
            streams = [strain]
            if injections is not None and len(injections):
                start = self.start + first / self.sample_rate
                injected = injections.inject(strain, start)
                # Beyond the segment there is nothing to add signals to.
                injected[:, : max(-first, 0)] = 0.0
                injected[:, max(self.num_samples - first, 0) :] = 0.0
                streams.append(injected)
            yield np.stack(streams).astype(np.float32)
