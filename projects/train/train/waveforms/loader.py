"""Signals from a file of polarizations."""

from pathlib import Path

import numpy as np
import torch
from conventions.errors import UserError
from storage import Location
from torch import Tensor

from train.waveforms.reader import WaveformReader
from train.waveforms.sampler import Drawn, WaveformSampler

FILE = "train_waveforms.hdf5"


class WaveformLoader(WaveformSampler):
    """Draws signals from ``train_waveforms.hdf5``, however large it is.

    Nothing but what a batch needs is read. Waveforms in the file are
    independent draws themselves, so that neighbours are as good as any: the
    larger ``chunk_size``, the fewer pieces of the file a batch is read
    from.

    Args:
        chunk_size: waveforms in a row that are read at once; each chunk
            starts at a random waveform, and goes on at the first after the
            last.

    Raises:
        UserError: if ``chunk_size`` is not positive.
    """

    def __init__(self, chunk_size: int = 1) -> None:
        super().__init__()
        if chunk_size < 1:
            raise UserError(f"chunk_size: {chunk_size} must be at least 1")
        self.chunk_size = chunk_size

    def files(self, directory: Location) -> list[Location]:
        """The file of polarizations."""
        return [directory / FILE]

    def prepare(self, directory: Path, sample_rate: float) -> None:
        """Check the file; no waveform is read yet.

        Raises:
            UserError: if it is missing, no ledger of polarizations, empty
                or of another sample rate.
        """
        self.reader = WaveformReader(
            directory / FILE, ("plus", "cross"), sample_rate
        )
        self.size = self.reader.size
        self.coalescence = self.reader.coalescence

    def draw(self, count: int, rng: np.random.Generator) -> Drawn:
        """Read ``count`` waveforms."""
        chunks = -(-count // self.chunk_size)
        starts = rng.integers(self.reader.count, size=chunks)
        rows = starts[:, None] + np.arange(self.chunk_size)
        rows = rows.flatten()[:count] % self.reader.count
        return {"polarizations": torch.from_numpy(self.reader.read(rows))}

    def forward(self, drawn: Drawn) -> Tensor:
        """Return what was read."""
        return drawn["polarizations"]
