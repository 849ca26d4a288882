"""The validation set: time-slides of held-out background, with signals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch
from conventions.errors import UserError
from torch import Tensor
from torch.utils.data import Dataset

from train.data.background import Reader, Stretch
from train.waveforms.reader import WaveformReader


class ValidationBatch(TypedDict):
    """What a worker sends to the validation.

    Attributes:
        X: contiguous background of one slide, of shape ``(ifo, time)``: the
            PSD's data, then what the kernels are cut from.
        responses: some signals, of shape ``(signal, ifo, time)``.
        counts: False for a batch that only makes up the numbers and whose
            background must not be scored.
    """

    X: Tensor
    responses: Tensor
    counts: bool


@dataclass(frozen=True)
class Piece:
    """One contiguous piece of one slide.

    Attributes:
        stretch: where it is read from.
        starts: first sample of each channel.
        size: samples.
    """

    stretch: Stretch
    starts: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class SlidePlan:
    """How held-out background is slid and cut, in samples.

    Attributes:
        num_ifos: number of channels.
        head: of the PSD's data plus one window (kernel and whitening
            filter), which yield the first output.
        stride: between outputs.
        window: outputs that are pooled together.
        max_windows: pooled windows in one piece at most.
        shift: of one channel against the next from slide to slide.
    """

    num_ifos: int
    head: int
    stride: int
    window: int
    max_windows: int
    shift: int

    def pieces(
        self, stretches: Sequence[Stretch], livetime: int
    ) -> list[Piece]:
        """Slide until the wanted livetime is reached.

        Args:
            stretches: of held-out background.
            livetime: samples of time, of outputs times stride.

        Returns:
            Pieces whose outputs amount to at least ``livetime``.

        Raises:
            UserError: if the shifts become longer than the background
                first.
        """
        pieces: list[Piece] = []
        reached = slide = 0
        while reached < livetime:
            slide += 1
            found = [
                piece
                for stretch in stretches
                for piece in self._slide(stretch, slide)
            ]
            if not found:
                raise UserError(
                    "valid_livetime cannot be reached with the held-out "
                    f"background: {slide - 1} time-slides give "
                    f"{reached / livetime:.0%} of it; lower valid_livetime "
                    "or raise min_valid_duration"
                )
            pieces += found
            reached += sum(p.size - self.head + self.stride for p in found)
        return pieces

    def _slide(self, stretch: Stretch, slide: int) -> list[Piece]:
        shifts = [slide * self.shift * i for i in range(self.num_ifos)]
        outputs = (stretch.size - shifts[-1] - self.head) // self.stride + 1
        windows = max(0, outputs) // self.window
        pieces = []
        for first in range(0, windows, self.max_windows):
            count = min(self.max_windows, windows - first) * self.window
            start = stretch.start + first * self.window * self.stride
            pieces.append(
                Piece(
                    stretch,
                    tuple(start + shift for shift in shifts),
                    self.head + (count - 1) * self.stride,
                )
            )
        return pieces


class ValidationBatches(Dataset[ValidationBatch]):
    """Pieces of slides, each with its share of the signals.

    Numbers past the last piece give batches that do not count, for devices
    whose share is smaller.

    Args:
        pieces: of background.
        waveforms: responses of validation signals.
        ifos: interferometers in channel order.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        waveforms: WaveformReader,
        ifos: Sequence[str],
    ) -> None:
        self.pieces = pieces
        self.waveforms = waveforms
        self.reader = Reader(ifos)
        edges = np.linspace(0, waveforms.count, len(pieces) + 1)
        self.edges = np.round(edges).astype(int)

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, index: int) -> ValidationBatch:
        """Read piece ``index`` and its signals."""
        counts = index < len(self.pieces)
        piece = self.pieces[index if counts else 0]
        X = np.empty((len(piece.starts), piece.size), dtype=np.float32)
        for channel, start in enumerate(piece.starts):
            self.reader.read_into(
                X[channel], piece.stretch.path, channel, start
            )
        rows = range(*self.edges[index : index + 2]) if counts else []
        return {
            "X": torch.from_numpy(X),
            "responses": torch.from_numpy(self.waveforms.read(rows)),
            "counts": counts,
        }


def even_share(count: int, rank: int, world_size: int) -> range:
    """Numbers of the pieces that one device validates on.

    Every device gets the same number of them, so that none waits for a
    batch of another; those past the last piece do not count.

    Args:
        count: of all pieces.
        rank: of the device.
        world_size: number of devices.
    """
    rounds = math.ceil(count / world_size)
    return range(rank, rounds * world_size, world_size)
