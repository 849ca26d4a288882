"""Many slides advanced together, so that they share what is alike."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infer.engine import SharedSlide, Slide
from infer.layout import StreamLayout


@dataclass(frozen=True)
class Part:
    """One slide's share of a step.

    Attributes:
        slide: its position.
        count: outputs that count.
        background: rows of :attr:`Step.strain` that are its channels.
        injected: rows of :attr:`Step.signals` that are its channels with
            injections; None where no signal reaches an output.
        touched: outputs whose kernels, ``fduration / 2`` on each side
            included, hold a signal: the others are the background's.
        streams: of the slide.
    """

    slide: int
    count: int
    background: NDArray[np.int64]
    injected: NDArray[np.int64] | None
    touched: NDArray[np.int64]
    streams: int


@dataclass(frozen=True)
class Step:
    """What the same request of all slides depends on.

    Attributes:
        strain: of the channels of the background, each only once, of shape
            ``(row, time)``: what a PSD is estimated from, and behind it
            what is whitened with it.
        places: what each row of ``strain`` is a part of, and at which
            sample: data in common are where both agree.
        signals: channels with injections, of shape ``(row, time)``: only
            what is whitened.
        owners: rows of ``strain`` whose PSD whitens each row of
            ``signals``.
        parts: the slides.
    """

    strain: NDArray[np.float32]
    places: Sequence[tuple[Hashable, int]]
    signals: NDArray[np.float32]
    owners: NDArray[np.int64]
    parts: Sequence[Part]


class Lockstep:
    """Reads the same request of all slides at once.

    A channel with equal delays in several slides is read once a step, so
    that it is whitened once: its PSD and its stretch are the same. So is
    the injected stream, except where signals reach.

    Args:
        slides: the strain.
        layouts: how each of them is cut, alike but for the lengths.
        whitened: first sample that is whitened, of those that a request
            depends on.
    """

    def __init__(
        self,
        slides: Sequence[Slide],
        layouts: Sequence[StreamLayout],
        whitened: int,
    ) -> None:
        self.slides = slides
        self.layouts = layouts
        self.whitened = whitened
        first = layouts[0].first_request
        last = max(layout.num_requests for layout in layouts)
        self.requests = range(first, last)

    def read(self, request: int) -> Step:
        """Read what one request of all slides depends on.

        Args:
            request: one of ``requests``.
        """
        rows: dict[tuple[Hashable, int], int] = {}
        strain: list[NDArray[np.float32]] = []
        signals: list[NDArray[np.float32]] = []
        owners: list[int] = []
        parts = []
        for position, slide in enumerate(self.slides):
            layout = self.layouts[position]
            if request >= layout.num_requests:
                continue
            first = layout.first_sample(request) - layout.state_size
            data = slide.read(first, layout.full_size)
            own = []
            places = self._places(position, first, data.shape[1])
            for channel, place in enumerate(places):
                row = rows.setdefault(place, len(rows))
                if row == len(strain):
                    strain.append(data[0, channel])
                own.append(row)
            counted = layout.outputs_of(request)
            touched, injected = np.zeros(0, np.int64), None
            if slide.streams == 2:
                touched = _touched(
                    data[..., layout.psd_size :], layout, counted.stop
                )
            if len(touched):
                injected = np.arange(len(own)) + len(signals)
                signals.extend(data[1, :, self.whitened :])
                owners.extend(own)
            parts.append(
                Part(
                    position,
                    counted.stop,
                    np.array(own),
                    injected,
                    touched,
                    slide.streams,
                )
            )
        size = self.layouts[0].full_size - self.whitened
        return Step(
            np.stack(strain),
            list(rows),
            np.stack(signals) if signals else np.zeros((0, size), np.float32),
            np.array(owners, dtype=np.int64),
            parts,
        )

    def _places(
        self, position: int, first: int, num_ifos: int
    ) -> Sequence[tuple[Hashable, int]]:
        """Where the data of a slide's channels, from ``first`` on, are."""
        slide = self.slides[position]
        if not isinstance(slide, SharedSlide):
            return [((position, ifo), first) for ifo in range(num_ifos)]
        end = first + self.layouts[position].full_size
        places = [(source, first + delay) for source, delay in slide.sources]
        if first >= 0 and end <= slide.num_samples:
            return places
        # Zeros are before and behind the slide, though the source has more.
        bounds = max(-first, 0), max(end - slide.num_samples, 0)
        return [((source, at, bounds), 0) for source, at in places]


def _touched(
    stretch: NDArray[np.float32], layout: StreamLayout, count: int
) -> NDArray[np.int64]:
    """Outputs, of the first ``count``, whose data differ by stream."""
    differ = np.flatnonzero((stretch[1] != stretch[0]).any(axis=0))
    starts = np.arange(count) * layout.stride
    after = np.searchsorted(differ, starts)
    differ = np.append(differ, np.iinfo(np.int64).max)
    return np.flatnonzero(differ[after] < starts + layout.window_size)
