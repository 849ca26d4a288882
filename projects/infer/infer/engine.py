"""What an engine takes and gives: strain in, network outputs out."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from preprocessing.manifest import Manifest


class Slide(Protocol):
    """Strain of one segment at one shift (science.md, Time-slides).

    Attributes:
        num_samples: samples for which every channel has data.
        streams: 1 for the background alone, 2 for the background and the
            same with injections.
    """

    @property
    def num_samples(self) -> int: ...

    @property
    def streams(self) -> int: ...

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


class Engine(Protocol):
    """Evaluates a network on slides.

    Kernels, requests and batches are an engine's own business.

    Attributes:
        manifest: of the exported network.
    """

    @property
    def manifest(self) -> Manifest: ...

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
