"""Which segments are read at which shifts, and how much time that gives.

Formulas are those of the conventions (Time-slides, Waveforms and
injections). Shift index ``i`` of multiples ``shifts`` reads interferometer
``j`` starting ``i * shifts[j]`` seconds late.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from conventions.errors import UserError
from conventions.segments import Segment


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _refuse(name: str, value: object, accepted: str) -> NoReturn:
    raise UserError(f"{name}: {value!r} is not accepted, only {accepted}")


@dataclass(frozen=True)
class Slide:
    """One segment at one shift: the unit of testing waveforms and inference.

    Attributes:
        index: of the segment among all segments.
        start: GPS start of the segment, s.
        stop: GPS end of the segment, s.
        shifts: how much later each interferometer is read, s.
    """

    index: int
    start: float
    stop: float
    shifts: tuple[float, ...]

    @property
    def is_zero_lag(self) -> bool:
        """Whether no interferometer is shifted."""
        return not any(self.shifts)


@dataclass(frozen=True)
class Timeslides:
    """How background is made from segments.

    Attributes:
        shifts: multiples per interferometer, s, such as ``(0, 1)``.
        psd_length: seconds at the start of a segment that only serve the
            PSD.
        inference_sampling_rate: network outputs per second, Hz.

    Raises:
        UserError: on construction, if the multiples do not shift every
            interferometer against every other, the length is negative or
            the rate not positive.
    """

    shifts: tuple[float, ...]
    psd_length: float
    inference_sampling_rate: float

    def __post_init__(self) -> None:
        numbers = all(map(_is_number, self.shifts))
        if not numbers or len(self.shifts) < 2 or min(self.shifts) < 0:
            raise UserError(
                f"shifts: {list(self.shifts)} must give one multiple of at "
                "least 0 s for each of two or more interferometers, such as "
                "[0, 1]"
            )
        if len(set(self.shifts)) < len(self.shifts):
            raise UserError(
                f"shifts: {list(self.shifts)} must all differ, otherwise "
                "interferometers are not shifted against each other"
            )
        if not (_is_number(self.psd_length) and self.psd_length >= 0):
            _refuse("psd_length", self.psd_length, "at least 0 s")
        rate = self.inference_sampling_rate
        if not (_is_number(rate) and rate > 0):
            _refuse("inference_sampling_rate", rate, "more than 0 Hz")

    def seconds(self, index: int) -> tuple[float, ...]:
        """Shift of each interferometer at shift index ``index``, s."""
        return tuple(index * shift for shift in self.shifts)

    def livetime(self, segment: Segment, shifts: Sequence[float]) -> float:
        """Time that is analysed of a segment, s.

        Args:
            segment: GPS start and end, s.
            shifts: shift of each interferometer, s.

        Returns:
            Number of network outputs after the PSD's ``psd_length``,
            divided by their rate; 0 if the segment is too short.
        """
        start, stop = segment
        rate = self.inference_sampling_rate
        outputs = (stop - start - max(shifts) - self.psd_length) * rate
        return max(math.floor(outputs + 1e-6), 0) / rate

    def is_analysable(self, segment: Segment, shifts: Sequence[float]) -> bool:
        """Whether anything of a segment is left after PSD and shifts."""
        start, stop = segment
        return stop - start - max(shifts) - self.psd_length > 0

    def background(self, segments: Sequence[Segment], index: int) -> float:
        """Livetime of all segments at one shift index, s."""
        shifts = self.seconds(index)
        return math.fsum(self.livetime(pair, shifts) for pair in segments)

    def shifts_required(self, segments: Sequence[Segment], Tb: float) -> int:
        """Smallest number of shifts whose livetime reaches ``Tb``.

        Args:
            segments: GPS start and end of each, s.
            Tb: background livetime that is wanted, s.

        Raises:
            UserError: if ``Tb`` is not positive, or all shifts of these
                segments together give less; says how much.
        """
        if not (_is_number(Tb) and Tb > 0):
            _refuse("Tb", Tb, "more than 0 s")
        total, index = 0.0, 0
        while total < Tb:
            index += 1
            gained = self.background(segments, index)
            if gained == 0:
                raise UserError(
                    f"Tb: {Tb:g} s of background cannot be reached: "
                    f"{index - 1} shifts of {len(segments)} segment(s) give "
                    f"{total:g} s in all, and none is long enough for more; "
                    "ask for less, or for more data"
                )
            total += gained
        return index

    def plan(
        self,
        segments: Sequence[Segment],
        num_shifts: int,
        *,
        zero_lag: bool = False,
    ) -> list[Slide]:
        """All analysable pairs of segment and shift.

        Args:
            segments: GPS start and end of each, s.
            num_shifts: shift indices 1 to this are used.
            zero_lag: whether to include the unshifted segments.

        Returns:
            The pairs, segment by segment, zero lag first.
        """
        first = 0 if zero_lag else 1
        return [
            Slide(number, *pair, self.seconds(index))
            for number, pair in enumerate(segments)
            for index in range(first, num_shifts + 1)
            if self.is_analysable(pair, self.seconds(index))
        ]


def grouped(slides: Sequence[Slide], size: int) -> list[tuple[Slide, ...]]:
    """Slides that are searched together, having one segment's strain.

    Args:
        slides: a plan, segment by segment.
        size: most slides of a group.

    Returns:
        The slides in their order, in groups of one segment.

    Raises:
        UserError: if the size is less than 1.
    """
    if size < 1:
        _refuse("slides_per_branch", size, "1 or more")
    groups = []
    for _, members in itertools.groupby(slides, lambda slide: slide.index):
        segment = tuple(members)
        groups += [
            segment[first : first + size]
            for first in range(0, len(segment), size)
        ]
    return groups


@dataclass(frozen=True)
class Placement:
    """Where injections lie in a segment.

    Attributes:
        spacing: between two waveforms, s.
        buffer: kept free at both ends of the analysed span, s.
        duration: of a waveform, s.

    Raises:
        UserError: on construction, if the duration is not positive or
            another value is negative.
    """

    spacing: float
    buffer: float
    duration: float

    def __post_init__(self) -> None:
        for name in ("spacing", "buffer"):
            value = getattr(self, name)
            if not (_is_number(value) and value >= 0):
                _refuse(name, value, "at least 0 s")
        if not (_is_number(self.duration) and self.duration > 0):
            _refuse("waveform_duration", self.duration, "more than 0 s")

    def count(self, span: float) -> int:
        """Number of injections in ``span`` seconds."""
        room = span - 2 * self.buffer - self.duration
        if room < 0:
            return 0
        return math.floor(room / (self.spacing + self.duration)) + 1


def shifts_for_signals(
    slides: Timeslides,
    placement: Placement,
    segments: Sequence[Segment],
    num_signals: int,
) -> int:
    """Smallest number of shifts that has room for ``num_signals``.

    Args:
        slides: how background is made.
        placement: where injections lie.
        segments: GPS start and end of each, s.
        num_signals: injections that are wanted.

    Raises:
        UserError: if none are wanted, or there is not room for that many in
            all shifts; says for how many there is.
    """
    if num_signals < 1:
        _refuse("num_signals", num_signals, "1 or more")
    total, index = 0, 0
    while total < num_signals:
        index += 1
        shifts = slides.seconds(index)
        if not any(slides.is_analysable(pair, shifts) for pair in segments):
            raise UserError(
                f"num_signals: {num_signals} injections do not fit: "
                f"{index - 1} shifts of {len(segments)} segment(s) have room "
                f"for {total}; ask for fewer, for a smaller spacing, or for "
                "more data"
            )
        total += sum(
            placement.count(
                pair[1] - pair[0] - max(shifts) - slides.psd_length
            )
            for pair in segments
        )
    return index
