"""What an engine takes and gives: strain in, network outputs out."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from preprocessing.manifest import Manifest


class Slide(Protocol):
    """Strain of one segment at one shift (science.md, Time-slides)."""

    @property
    def num_samples(self) -> int:
        """Samples for which every channel has data."""
        ...

    @property
    def streams(self) -> int:
        """1 for the background alone, 2 for it and the same injected."""
        ...

    def read(self, first: int, size: int) -> NDArray[np.float32]:
        """Give any stretch, as often as asked.

        Args:
            first: first sample, relative to the slide's start; may be
                negative.
            size: number of samples.

        Returns:
            Strain of shape ``(S, ifo, size)``, S being ``streams``,
            background first; zeros where there are no data.
        """
        ...


@runtime_checkable
class SharedSlide(Slide, Protocol):
    """A slide some of whose channels are those of other slides, too."""

    @property
    def sources(self) -> Sequence[tuple[Hashable, int]]:
        """Where each channel's background comes from, and its delay.

        Slides with an equal source have equal data, sample for sample, at
        indices that differ by the difference of their delays, as far as
        both have any.
        """
        ...


class Engine(Protocol):
    """Evaluates a network on slides.

    Kernels, requests and batches are an engine's own business.
    """

    @property
    def name(self) -> str:
        """What evaluates the network, and in which precision."""
        ...

    @property
    def manifest(self) -> Manifest:
        """Manifest of the exported network."""
        ...

    def evaluate(
        self, slides: Sequence[Slide]
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Evaluate the network all along some slides.

        Args:
            slides: of one segment or of several.

        Yields:
            The position of a slide in ``slides``, and the outputs of shape
            ``(S, n)`` that follow those yielded for it before. Slides take
            turns as the engine likes. Each slide ends with
            ``StreamLayout.from_manifest(manifest, slide.num_samples)
            .num_outputs`` outputs; those of the burn-in are left out.

        Raises:
            UserError: if a slide has no output after the burn-in.
        """
        ...


def outputs_of(engine: Engine, slide: Slide) -> NDArray[np.float32]:
    """Evaluate a network all along one slide that fits into memory.

    Args:
        engine: evaluates the network.
        slide: the strain.

    Returns:
        All outputs after the burn-in, of shape ``(S, n)``.

    Raises:
        UserError: if there are none.
    """
    pieces = [outputs for _, outputs in engine.evaluate([slide])]
    return np.concatenate(pieces, axis=1)
