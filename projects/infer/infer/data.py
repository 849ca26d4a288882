"""Strain of one slide, from a segment or from memory."""

import math
from collections.abc import Hashable, Sequence
from typing import Any, Protocol

import numpy as np
from conventions.errors import UserError
from numpy.typing import NDArray
from preprocessing.config import whole_samples

from infer.segment import SegmentStrain


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


class SlideStrain:
    """One segment with a delay per interferometer: a slide of an engine.

    Sample k of channel j is the one recorded ``shifts[j]`` seconds and k
    samples after the segment's start (science.md, Time-slides).

    Args:
        segment: the strain.
        shifts: delay of each channel, in seconds.
        injections: signals for the second stream; without any, there is one
            stream.

    Attributes:
        num_samples: samples for which every channel has data.
        streams: 2 with injections, otherwise 1.
        sources: what each channel is read from, and its delay in samples.

    Raises:
        UserError: for a delay that is negative, not a whole number of
            samples or too long.
    """

    def __init__(
        self,
        segment: SegmentStrain,
        shifts: Sequence[float],
        injections: Injections | None = None,
    ) -> None:
        if len(shifts) != len(segment.ifos):
            raise UserError(
                f"shifts: {list(shifts)} must name one delay for each of "
                f"{', '.join(segment.ifos)}"
            )
        if any(not 0 <= shift < math.inf for shift in shifts):
            raise UserError(
                f"shifts: {list(shifts)} must be zero or positive seconds"
            )
        self.segment = segment
        self.shifts = tuple(map(float, shifts))
        self._delays = [
            whole_samples(f"shift of {ifo}", shift, segment.sample_rate)
            for ifo, shift in zip(segment.ifos, shifts, strict=True)
        ]
        self.num_samples = segment.size - max(self._delays)
        if self.num_samples < 1:
            raise UserError(
                f"shifts: {list(shifts)} leave nothing of the "
                f"{segment.size / segment.sample_rate:g} s in "
                f"{segment.background}"
            )
        self._injections = injections
        self.streams = 1 if injections is None or not len(injections) else 2
        self.sources: tuple[tuple[Hashable, int], ...] = tuple(
            ((segment, channel), delay)
            for channel, delay in enumerate(self._delays)
        )

    def read(self, first: int, size: int) -> NDArray[np.float32]:
        """Read strain; zeros in gaps and where the slide has none.

        Args:
            first: first sample, relative to the segment's start; may be
                negative.
            size: number of samples.

        Returns:
            Strain of shape ``(S, ifo, size)``: the background and, with
            injections, the background plus signals.
        """
        strain = np.zeros(
            (self.streams, len(self._delays), size), dtype=np.float32
        )
        begin, end = max(first, 0), min(first + size, self.num_samples)
        if begin >= end:
            return strain
        # Beyond the slide there is nothing to add signals to.
        clean = strain[0, :, begin - first : end - first]
        self._fill(clean, begin)
        if self._injections is not None and self.streams == 2:
            exact = np.empty(clean.shape)
            self._fill(exact, begin)
            start = self.segment.start + begin / self.segment.sample_rate
            strain[1, :, begin - first : end - first] = (
                self._injections.inject(exact, start)
            )
        return strain

    def _fill(self, data: NDArray[np.floating[Any]], begin: int) -> None:
        for channel, delay in enumerate(self._delays):
            self.segment.read(channel, begin + delay, data[channel])

    def replaced(self, first: int, size: int) -> NDArray[np.int64]:
        """Find samples that are no numbers in any ifo.

        Args:
            first: first sample, relative to the segment's start; may be
                negative.
            size: number of samples.

        Returns:
            First and one after the last sample of each gap within what is
            asked for, in order and apart, of shape ``(gap, 2)``.
        """
        begin, end = max(first, 0), min(first + size, self.num_samples)
        if begin >= end:
            return np.zeros((0, 2), np.int64)
        gaps = np.concatenate(
            [
                self.segment.gaps(channel, begin + delay, end - begin) - delay
                for channel, delay in enumerate(self._delays)
            ]
        )
        gaps = np.clip(gaps, begin, end)
        return _union(gaps[gaps[:, 0] < gaps[:, 1]])


class ArraySlide:
    """Strain in memory as a slide of an engine.

    Args:
        strain: of shape ``(S, ifo, time)`` without gaps: S = 1 (background)
            or 2 (background, injected).
    """

    def __init__(self, strain: NDArray[np.floating[Any]]) -> None:
        self._strain = strain
        self.streams, _, self.num_samples = strain.shape

    def read(self, first: int, size: int) -> NDArray[np.float32]:
        """Give a stretch, zeros outside; see :class:`infer.engine.Slide`."""
        data = np.zeros((*self._strain.shape[:2], size), np.float32)
        begin, end = max(first, 0), min(first + size, self.num_samples)
        if begin < end:
            data[..., begin - first : end - first] = self._strain[
                ..., begin:end
            ]
        return data


def _union(spans: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join half-open spans that overlap or touch, and sort them."""
    if not len(spans):
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1])
    apart = np.flatnonzero(spans[1:, 0] > reach[:-1]) + 1
    begin = np.concatenate([[0], apart])
    end = np.concatenate([apart - 1, [len(spans) - 1]])
    return np.stack([spans[begin, 0], reach[end]], axis=1)
