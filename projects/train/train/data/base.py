"""What the data modules of all representations share."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from lightning import LightningDataModule
from preprocessing.config import Preprocessing
from preprocessing.manifest import InputSpec
from preprocessing.snapshotter import psd_size
from storage import location
from torch import Generator, Tensor
from torch.utils.data import DataLoader

from train.data.background import (
    RandomKernels,
    check_finite,
    find,
    hold_out,
)
from train.data.checks import (
    check_counts,
    check_fractions,
    check_length,
    make_placement,
)
from train.data.files import RESPONSES, InputFiles
from train.data.inputs import NetworkInputs, Representations
from train.data.training import (
    EpochSampler,
    PreparedBatches,
    TrainingBatch,
    TrainingBatches,
)
from train.data.transforms import TrainingTransform, ValidationTransform
from train.data.validation import (
    SlidePlan,
    ValidationBatch,
    ValidationBatches,
    even_share,
)
from train.data.workers import check_sockets, give_way
from train.locations import default_cache
from train.snr import SnrSampler
from train.waveforms.loader import WaveformLoader
from train.waveforms.reader import WaveformReader
from train.waveforms.sampler import WaveformSampler


class AframeDataset(LightningDataModule, ABC):
    """Kernels of noise with and without signals, and their labels.

    Worker processes read background and what makes up signals; the
    training device makes their polarizations, projects, injects, whitens
    and computes what the network sees (science.md, Training recipe). If that
    is the CPU, the worker processes do that, too.

    A subclass names the inputs of its networks. A batch that Lightning
    hands to a module is a tuple of tensors: for training all inputs, in the
    order of :attr:`inputs`, then the labels; for validation each input of
    the background and the same of the foreground, in pairs.

    Args:
        background_dir: holds files ``background-*.hdf5``; a path, or
            ``s3://bucket/key``.
        waveforms_dir: holds ``val_waveforms.hdf5`` (responses), and what
            ``waveform_sampler`` reads; a path, or ``s3://bucket/key``.
        ifos: interferometers in channel order.
        sample_rate: in Hz.
        kernel_length: of the network's input, in seconds.
        psd_length: of the data a PSD is estimated from, in seconds.
        batch_size: samples per batch and device.
        batches_per_epoch: batches per epoch and device.
        snr_sampler: distribution of the signals' network SNR.
        waveform_sampler: source of the training's signals, by default
            the polarizations of ``train_waveforms.hdf5`` in
            ``waveforms_dir``.
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
        cache_dir: directory of this node for checked copies of what is in a
            store, one for all processes; by default one of the user among
            the temporary files.

    Raises:
        UserError: on construction for settings that contradict each other
            or a path of temporary files that is too long, on ``setup`` for
            files that are missing or do not fit.
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
        waveform_sampler: WaveformSampler | None = None,
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
        num_workers: int = 2,
        seed: int = 0,
        cache_dir: str | None = None,
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
        check_fractions(
            waveform_prob=waveform_prob,
            swap_frac=swap_frac,
            mute_frac=mute_frac,
            hard_negatives=swap_frac + mute_frac,
            invert_prob=invert_prob,
            reverse_prob=reverse_prob,
        )
        check_counts(
            batch_size=batch_size,
            batches_per_epoch=batches_per_epoch,
            num_valid_views=num_valid_views,
            min_valid_duration=min_valid_duration,
            valid_livetime=valid_livetime,
        )
        self.placement = make_placement(self.config, left_pad, right_pad)
        self.left_pad, self.right_pad = left_pad, right_pad
        self.psd_size = psd_size(self.config, psd_length)
        self.batch_size = batch_size
        self.batches_per_epoch = batches_per_epoch
        self.snr_sampler = snr_sampler
        self.waveform_sampler = waveform_sampler or WaveformLoader()
        self.files = InputFiles(
            location(background_dir),
            location(waveforms_dir),
            self.waveform_sampler,
            Path(cache_dir) if cache_dir else default_cache(),
        )
        self.waveform_prob = waveform_prob
        self.valid_size = self.config.size(
            "min_valid_duration", min_valid_duration
        )
        self.valid_livetime = valid_livetime
        check_sockets(num_workers)
        self.num_workers = num_workers
        self.seed = seed
        self._checked = False
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

    @abstractmethod
    def representations(self) -> Representations:
        """Inputs of the networks, in the order of their arguments."""

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """Inputs of the networks, as the manifest lists them."""
        return self.represent.specs

    @property
    def num_ifos(self) -> int:
        """Number of interferometers, as networks are told it."""
        return self.config.num_ifos

    def setup(self, stage: str | None = None) -> None:
        """Check all files and plan what is read.

        All background is read once, as what is no number would only be
        noticed when it is drawn, hours later.
        """
        config = self.config
        self.represent = NetworkInputs(config, self.representations())
        background, waveforms = self.files.fetch()
        stretches = find(background, config.ifos, config.sample_rate)
        if not self._checked:
            check_finite(stretches, config.ifos)
            self._checked = True
        train, valid = hold_out(stretches, self.valid_size)
        head = self.psd_size + config.window_size
        rank = self.trainer.global_rank if self.trainer else 0
        self._rank_seed = (self.seed, rank)
        signals = self.waveform_sampler
        signals.prepare(waveforms, config.sample_rate)
        check_length(signals.size, "of training", config.kernel_size)
        self.train_set = TrainingBatches(
            RandomKernels(train, config.ifos, head),
            signals,
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
        responses = WaveformReader(
            waveforms / RESPONSES,
            tuple(ifo.lower() for ifo in config.ifos),
            config.sample_rate,
        )
        check_length(
            responses.size, f"in {responses.path}", config.kernel_size
        )
        self.valid_set = ValidationBatches(
            plan.pieces(valid, livetime), responses, config.ifos
        )

    def train_dataloader(
        self,
    ) -> DataLoader[TrainingBatch] | DataLoader[tuple[Tensor, ...]]:
        """Numbered batches, one epoch after the other."""
        cpu = self.trainer and self.trainer.strategy.root_device.type == "cpu"
        return DataLoader(
            PreparedBatches(self.train_set, self._prepare)
            if cpu
            else self.train_set,
            batch_size=None,
            sampler=EpochSampler(self.batches_per_epoch, self._batches_done),
            num_workers=self.num_workers,
            worker_init_fn=give_way if cpu else None,
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
        self,
        batch: TrainingBatch | ValidationBatch | Sequence[Tensor],
        dataloader_idx: int,
    ) -> Sequence[Tensor]:
        """Inject, whiten and represent on the device, unless that is done."""
        if not isinstance(batch, dict):
            return batch
        if "index" in batch:
            return self._prepare(batch)
        return self.validation_batch(batch)

    def _prepare(self, batch: TrainingBatch) -> tuple[Tensor, ...]:
        """The batch at the optimiser step to which its number belongs."""
        step = batch["index"] // self.trainer.accumulate_grad_batches
        return self.training_batch(batch, step)

    @torch.no_grad()
    def training_batch(
        self, batch: TrainingBatch, step: int
    ) -> tuple[Tensor, ...]:
        """Inputs of the network, and labels.

        Args:
            batch: what a worker read.
            step: optimiser step, for the SNR schedule.

        Returns:
            Each input, of shape ``(batch, ...)``, and labels of shape
            ``(batch,)``.
        """
        device = batch["X"].device
        entropy = np.random.SeedSequence((*self._rank_seed, 1, batch["index"]))
        generator = Generator(device)
        generator.manual_seed(int(entropy.generate_state(1)[0]))
        rows = batch["rows"]
        signals = self.waveform_sampler.to(device)
        kernels, labels = self.training_transform.to(device)(
            batch["X"],
            signals(batch["drawn"]),
            rows,
            signals.coalescence,
            self.snr_sampler.sample(len(rows), step, generator),
            generator,
        )
        return *self.represent.to(device)(kernels), labels

    @torch.no_grad()
    def validation_batch(self, batch: ValidationBatch) -> tuple[Tensor, ...]:
        """Inputs of the network for background and foreground.

        Args:
            batch: what a worker read.

        Returns:
            For each input that of the background, of shape ``(pool, window,
            ...)``, and that of the foreground, of shape ``(signal, view,
            ...)``.
        """
        X = batch["X"]
        background, foreground = self.validation_transform.to(X.device)(
            X, batch["responses"], self.valid_set.waveforms.coalescence
        )
        if not batch["counts"]:
            background = background[:0]
        represent = self.represent.to(X.device)
        pairs = zip(
            represent.of_grid(background),
            represent.of_grid(foreground),
            strict=True,
        )
        return tuple(itertools.chain.from_iterable(pairs))
