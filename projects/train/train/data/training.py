"""The training set: numbered batches of background and signals."""

from collections.abc import Callable, Iterator
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from train.data.background import RandomKernels
from train.waveforms.sampler import Drawn, WaveformSampler


class TrainingBatch(TypedDict):
    """What a worker sends to the training process.

    Attributes:
        index: number of the batch since the start of the training.
        X: background of shape ``(batch, ifo, time)``.
        drawn: what makes up the signals.
        rows: sample of each signal, of shape ``(signal,)``.
    """

    index: int
    X: Tensor
    drawn: Drawn
    rows: Tensor


class TrainingBatches(Dataset[TrainingBatch]):
    """Batches by their number; a batch is a function of seed and number.

    Neither the number of worker processes nor an interruption changes what
    is trained on.

    Args:
        kernels: source of background.
        waveforms: source of signals.
        batch_size: samples in a batch.
        waveform_prob: probability that a sample carries a signal.
        seed: entropy, of which different ranks have different ones.
    """

    def __init__(
        self,
        kernels: RandomKernels,
        waveforms: WaveformSampler,
        batch_size: int,
        waveform_prob: float,
        seed: tuple[int, ...],
    ) -> None:
        self.kernels = kernels
        self.waveforms = waveforms
        self.batch_size = batch_size
        self.waveform_prob = waveform_prob
        self.seed = seed

    def __getitem__(self, index: int) -> TrainingBatch:
        """Draw batch ``index``."""
        rng = np.random.default_rng((*self.seed, index))
        X = self.kernels.draw(self.batch_size, rng)
        carries = rng.random(self.batch_size) < self.waveform_prob
        rows = np.flatnonzero(carries)
        return {
            "index": index,
            "X": torch.from_numpy(X),
            "drawn": self.waveforms.draw(len(rows), rng),
            "rows": torch.from_numpy(rows),
        }


class PreparedBatches(Dataset[tuple[Tensor, ...]]):
    """Batches as the network sees them, made in the process that reads them.

    So a CPU trains on all its cores while a worker process, on what they
    leave, makes the next batch. A GPU makes better use of what is read.

    Args:
        batches: what is read.
        prepare: makes inputs and labels of it.
    """

    def __init__(
        self,
        batches: TrainingBatches,
        prepare: Callable[[TrainingBatch], tuple[Tensor, ...]],
    ) -> None:
        self.batches = batches
        self.prepare = prepare

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        """Read and prepare batch ``index``."""
        return self.prepare(self.batches[index])


class EpochSampler(Sampler[int]):
    """Numbers of the batches of one epoch after the other.

    Args:
        batches_per_epoch: how many an epoch has.
        done: tells, when an epoch begins, how many batches have been
            trained on, also before an interruption.
    """

    def __init__(
        self, batches_per_epoch: int, done: Callable[[], int]
    ) -> None:
        self.batches_per_epoch = batches_per_epoch
        self.done = done

    def __len__(self) -> int:
        return self.batches_per_epoch

    def __iter__(self) -> Iterator[int]:
        first = self.done()
        return iter(range(first, first + self.batches_per_epoch))
