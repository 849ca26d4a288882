"""What a training asks of the source of its signals."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from storage import Location
from torch import Tensor, nn

Drawn = dict[str, Tensor]
"""What a worker process draws for N signals: tensors of N rows."""


class WaveformSampler(nn.Module, ABC):
    """Source of polarizations, half in the workers, half on the device.

    A worker process draws what makes up some signals; the device that
    trains makes their polarizations of it.

    Attributes:
        size: samples of a waveform, known once it is prepared.
        coalescence: sample of the coalescence, known once it is prepared.
    """

    size: int
    coalescence: int

    def files(self, directory: Location) -> list[Location]:
        """Files that are read, none by default.

        Args:
            directory: of the training's waveforms.
        """
        return []

    @abstractmethod
    def prepare(self, directory: Path, sample_rate: float) -> None:
        """Find out whether signals can be had, before any is drawn.

        Args:
            directory: of the training's waveforms.
            sample_rate: in Hz.

        Raises:
            UserError: if they cannot.
        """

    @abstractmethod
    def draw(self, count: int, rng: np.random.Generator) -> Drawn:
        """Draw in a worker process.

        Args:
            count: how many signals.
            rng: source of randomness, all there is.
        """

    @abstractmethod
    def forward(self, drawn: Drawn) -> Tensor:
        """Make polarizations on the device.

        Args:
            drawn: what :meth:`draw` gave, on any device.

        Returns:
            plus and cross, of shape ``(signal, 2, size)``, float32.
        """
