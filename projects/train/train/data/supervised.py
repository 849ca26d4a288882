"""The data module of the supervised time-domain networks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from conventions.errors import UserError
from lightning import LightningDataModule
from preprocessing.config import Preprocessing
from preprocessing.snapshotter import psd_size
from torch import Generator, Tensor
from torch.utils.data import DataLoader

from train.data.background import RandomKernels, find, hold_out
from train.data.training import EpochSampler, TrainingBatch, TrainingBatches
from train.data.transforms import (
    Placement,
    TrainingTransform,
    ValidationTransform,
)
from train.data.validation import (
    SlidePlan,
    ValidationBatch,
    ValidationBatches,
    even_share,
)
from train.snr import SnrSampler
from train.waveforms.reader import WaveformReader


class SupervisedAframeDataset(LightningDataModule):
    """Kernels of noise with and without signals, and their labels.

    Worker processes read background and polarizations from disk; the
    training device projects, injects and whitens (science.md, Training
    recipe).

    Args:
        background_dir: holds files ``background-*.hdf5``.
        waveforms_dir: holds ``train_waveforms.hdf5`` (polarizations) and
            ``val_waveforms.hdf5`` (responses).
        ifos: interferometers in channel order.
        sample_rate: in Hz.
        kernel_length: of the network's input, in seconds.
        psd_length: of the data a PSD is estimated from, in seconds.
        batch_size: samples per batch and device.
        batches_per_epoch: batches per epoch and device.
        snr_sampler: distribution of the signals' network SNR.
        fduration: of the whitening filter, in seconds.
        fftlength: of the PSD's segments, in seconds; by default
            ``kernel_length + fduration``.
        highpass: lower edge of the band, in Hz.
        lowpass: upper edge of the band, in Hz.
        waveform_prob: probability that a sample carries a signal.
        left_pad: distance in seconds of the coalescence from the kernel's
            left edge, at least.
        right_pad: distance in seconds of the coalescence from the kernel's
            right edge, at least.
        swap_frac: fraction of signals with one interferometer's exchanged
            for that of another signal, labelled 0.
        mute_frac: fraction of signals with one interferometer's removed,
            labelled 0.
        invert_prob: probability that a channel's sign is flipped.
        reverse_prob: probability that a channel's time is reversed.
        min_valid_duration: seconds of background, from the end, that are
            held out for validation.
        valid_livetime: seconds of time-slid background to validate on.
        valid_stride: seconds between validation kernels.
        valid_pool_length: seconds of background of which the largest score
            counts.
        num_valid_views: positions in the kernel at which each validation
            signal is scored.
        num_workers: worker processes that read training data.
        seed: entropy of everything random.

    Raises:
        UserError: on construction for settings that contradict each other,
            on ``setup`` for files that are missing or do not fit.
    """

    def __init__(
        self,
        background_dir: str,
        waveforms_dir: str,
        ifos: Sequence[str],
        sample_rate: float,
        kernel_length: float,
        psd_length: float,
        batch_size: int,
        batches_per_epoch: int,
        snr_sampler: SnrSampler,
        fduration: float = 1.0,
        fftlength: float | None = None,
        highpass: float | None = None,
        lowpass: float | None = None,
        waveform_prob: float = 0.277,
        left_pad: float = 0.25,
        right_pad: float = 0.05,
        swap_frac: float = 0.014,
        mute_frac: float = 0.055,
        invert_prob: float = 0.5,
        reverse_prob: float = 0.5,
        min_valid_duration: float = 15000.0,
        valid_livetime: float = 43200.0,
        valid_stride: float = 0.5,
        valid_pool_length: float = 8.0,
        num_valid_views: int = 5,
        num_workers: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.config = Preprocessing(
            ifos=tuple(ifos),
            sample_rate=sample_rate,
            kernel_length=kernel_length,
            fduration=fduration,
            fftlength=fftlength,
            highpass=highpass,
            lowpass=lowpass,
        )
        _check_fractions(
            waveform_prob=waveform_prob,
            swap_frac=swap_frac,
            mute_frac=mute_frac,
            hard_negatives=swap_frac + mute_frac,
            invert_prob=invert_prob,
            reverse_prob=reverse_prob,
        )
        _check_counts(
            batch_size=batch_size,
            batches_per_epoch=batches_per_epoch,
            num_valid_views=num_valid_views,
            min_valid_duration=min_valid_duration,
            valid_livetime=valid_livetime,
        )
        self.placement = _placement(self.config, left_pad, right_pad)
        self.background_dir = Path(background_dir)
        self.waveforms_dir = Path(waveforms_dir)
        self.left_pad, self.right_pad = left_pad, right_pad
        self.psd_size = psd_size(self.config, psd_length)
        self.batch_size = batch_size
        self.batches_per_epoch = batches_per_epoch
        self.snr_sampler = snr_sampler
        self.waveform_prob = waveform_prob
        self.valid_size = self.config.size(
            "min_valid_duration", min_valid_duration
        )
        self.valid_livetime = valid_livetime
        self.num_workers = num_workers
        self.seed = seed
        self.stride = self.config.size("valid_stride", valid_stride)
        self.window = max(1, round(valid_pool_length / valid_stride))
        self.training_transform = TrainingTransform(
            self.config,
            psd_length,
            self.placement,
            swap_frac,
            mute_frac,
            invert_prob,
            reverse_prob,
        )
        self.validation_transform = ValidationTransform(
            self.config,
            psd_length,
            self.placement,
            self.stride,
            self.window,
            num_valid_views,
        )

    @property
    def num_ifos(self) -> int:
        """Number of interferometers, the network's input channels."""
        return self.config.num_ifos

    def input_files(self) -> list[Path]:
        """Files that the training reads."""
        paths = sorted(self.background_dir.glob("background-*.hdf5"))
        names = ("train_waveforms.hdf5", "val_waveforms.hdf5")
        return paths + [self.waveforms_dir / name for name in names]

    def setup(self, stage: str | None = None) -> None:
        """Check the files and plan what is read; no strain is read yet."""
        config = self.config
        stretches = find(self.background_dir, config.ifos, config.sample_rate)
        train, valid = hold_out(stretches, self.valid_size)
        head = self.psd_size + config.window_size
        rank = self.trainer.global_rank if self.trainer else 0
        self._rank_seed = (self.seed, rank)
        self.train_set = TrainingBatches(
            RandomKernels(train, config.ifos, head),
            self._waveforms("train_waveforms.hdf5", ("plus", "cross")),
            self.batch_size,
            self.waveform_prob,
            self._rank_seed,
        )
        plan = SlidePlan(
            num_ifos=config.num_ifos,
            head=head,
            stride=self.stride,
            window=self.window,
            max_windows=max(1, self.batch_size // self.window),
            shift=round(config.sample_rate),
        )
        livetime = round(self.valid_livetime * config.sample_rate)
        responses = tuple(ifo.lower() for ifo in config.ifos)
        self.valid_set = ValidationBatches(
            plan.pieces(valid, livetime),
            self._waveforms("val_waveforms.hdf5", responses),
            config.ifos,
        )

    def _waveforms(self, name: str, datasets: Sequence[str]) -> WaveformReader:
        reader = WaveformReader(
            self.waveforms_dir / name, datasets, self.config.sample_rate
        )
        reader.check_length(self.config.kernel_size, "kernel_length")
        return reader

    def train_dataloader(self) -> DataLoader[TrainingBatch]:
        """Numbered batches, one epoch after the other."""
        return DataLoader(
            self.train_set,
            batch_size=None,
            sampler=EpochSampler(self.batches_per_epoch, self._batches_done),
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def _batches_done(self) -> int:
        if self.trainer is None:
            return 0
        steps = self.trainer.global_step
        return steps * self.trainer.accumulate_grad_batches

    def val_dataloader(self) -> DataLoader[ValidationBatch]:
        """Pieces of time-slides; each device takes its share."""
        rank, world = self.trainer.global_rank, self.trainer.world_size
        return DataLoader(
            self.valid_set,
            batch_size=None,
            sampler=even_share(len(self.valid_set), rank, world),
            num_workers=min(1, self.num_workers),
            pin_memory=torch.cuda.is_available(),
        )

    def on_after_batch_transfer(
        self, batch: TrainingBatch | ValidationBatch, dataloader_idx: int
    ) -> tuple[Tensor, Tensor]:
        """Inject and whiten on the device that trains."""
        if "index" in batch:
            return self.training_batch(batch, self.trainer.global_step)
        return self.validation_batch(batch)

    @torch.no_grad()
    def training_batch(
        self, batch: TrainingBatch, step: int
    ) -> tuple[Tensor, Tensor]:
        """Whitened kernels and labels.

        Args:
            batch: what a worker read.
            step: optimiser step, for the SNR schedule.

        Returns:
            Kernels of shape ``(batch, ifo, kernel_size)`` and labels of
            shape ``(batch,)``.
        """
        device = batch["X"].device
        entropy = np.random.SeedSequence((*self._rank_seed, 1, batch["index"]))
        generator = Generator(device)
        generator.manual_seed(int(entropy.generate_state(1)[0]))
        rows = batch["rows"]
        return self.training_transform.to(device)(
            batch["X"],
            batch["polarizations"],
            rows,
            self.train_set.waveforms.coalescence,
            self.snr_sampler.sample(len(rows), step, generator),
            generator,
        )

    @torch.no_grad()
    def validation_batch(
        self, batch: ValidationBatch
    ) -> tuple[Tensor, Tensor]:
        """Whitened background and foreground kernels.

        Returns:
            Background of shape ``(pool, window, ifo, kernel_size)`` and
            foreground of shape ``(signal, view, ifo, kernel_size)``.
        """
        X = batch["X"]
        background, foreground = self.validation_transform.to(X.device)(
            X, batch["responses"], self.valid_set.waveforms.coalescence
        )
        return background if batch["counts"] else background[:0], foreground


def _check_fractions(**fractions: float) -> None:
    for name, value in fractions.items():
        if not 0 <= value <= 1:
            raise UserError(f"{name}: {value} must lie between 0 and 1")


def _check_counts(**counts: float) -> None:
    for name, value in counts.items():
        if value <= 0:
            raise UserError(f"{name}: {value} must be positive")


def _placement(
    config: Preprocessing, left_pad: float, right_pad: float
) -> Placement:
    if min(left_pad, right_pad) < 0:
        raise UserError(
            f"left_pad {left_pad} s and right_pad {right_pad} s must not be "
            "negative"
        )
    if left_pad + right_pad > config.kernel_length:
        raise UserError(
            f"kernel_length: {config.kernel_length} s is too short for "
            f"left_pad {left_pad} s and right_pad {right_pad} s"
        )
    return Placement(config, left_pad, right_pad)
