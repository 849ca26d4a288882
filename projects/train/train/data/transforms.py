"""From strain and waveforms to whitened kernels, on the training device."""

from collections.abc import Callable

import torch
from preprocessing.config import Preprocessing
from preprocessing.psd import PsdEstimator
from preprocessing.whiten import Whitener
from torch import Generator, Tensor, nn

from train.augmentations import break_coherence, invert_and_reverse
from train.injection import Projector, place, rescale

PSDS_IN_CACHE, WINDOWS_IN_CACHE = 8, 32
"""Samples that a CPU works on at once."""


def _by_pieces(
    function: Callable[..., Tensor], few: int, *batch: Tensor
) -> Tensor:
    """What a function makes of each sample; on a CPU of a few at once.

    The double-precision spectra of a whole batch do not fit into its caches.
    """
    X = batch[0]
    few = few if X.device.type == "cpu" else len(X)
    pieces = zip(*(tensor.split(few) for tensor in batch), strict=True)
    return torch.cat([function(*piece) for piece in pieces])


class Placement:
    """Where the coalescence may lie in a kernel.

    Args:
        config: the settings of the network.
        left_pad: distance from the kernel's left edge at least, in seconds.
        right_pad: distance from the kernel's right edge at least, in
            seconds.

    Attributes:
        first: first allowed sample of a window (a kernel with half the
            whitening filter on each side).
        last: last allowed sample of a window.
    """

    def __init__(
        self, config: Preprocessing, left_pad: float, right_pad: float
    ) -> None:
        margin = config.fduration_size // 2
        rate = config.sample_rate
        end = config.kernel_length - right_pad
        self.first = margin + round(left_pad * rate)
        self.last = margin + round(end * rate)

    def random(self, count: int, generator: Generator) -> Tensor:
        """Uniform positions of shape ``(count,)``."""
        return torch.randint(
            self.first,
            self.last + 1,
            (count,),
            generator=generator,
            device=generator.device,
        )

    def even(self, count: int, device: torch.device) -> Tensor:
        """Positions that divide the allowed range, its ends included."""
        if count == 1:
            middle = (self.first + self.last) // 2
            return torch.tensor([middle], device=device)
        ends = torch.linspace(self.first, self.last, count, device=device)
        return ends.round().long()


class TrainingTransform(nn.Module):
    """Make a training batch: whitened kernels and their labels.

    The background's PSD comes from the ``psd_length`` seconds before the
    window. Background is inverted and reversed, signals are projected,
    scaled to the drawn SNR, partly broken into hard negatives, placed,
    added; the sum is whitened.

    Args:
        config: the settings of the network.
        psd_length: seconds of data that the PSD is estimated from.
        placement: where coalescences may lie.
        swap_frac: fraction of signals with an exchanged channel.
        mute_frac: fraction of signals with a muted channel.
        invert_prob: probability of a channel's sign being flipped.
        reverse_prob: probability of a channel's time being reversed.
    """

    def __init__(
        self,
        config: Preprocessing,
        psd_length: float,
        placement: Placement,
        swap_frac: float,
        mute_frac: float,
        invert_prob: float,
        reverse_prob: float,
    ) -> None:
        super().__init__()
        self.config = config
        self.psd_size = config.size("psd_length", psd_length)
        self.placement = placement
        self.swap_frac = swap_frac
        self.mute_frac = mute_frac
        self.invert_prob = invert_prob
        self.reverse_prob = reverse_prob
        self.estimate = PsdEstimator(config.sample_rate, config.fftlength)
        self.whiten = Whitener(config)
        self.project = Projector(config.ifos, config.sample_rate)

    def forward(
        self,
        X: Tensor,
        polarizations: Tensor,
        rows: Tensor,
        coalescence: int,
        snrs: Tensor,
        generator: Generator,
    ) -> tuple[Tensor, Tensor]:
        """Inject and whiten.

        Args:
            X: background of shape ``(batch, ifo, time)``.
            polarizations: of shape ``(signal, polarization, time)``, plus
                and cross.
            rows: sample of each signal, of shape ``(signal,)``.
            coalescence: sample of the coalescence in ``polarizations``.
            snrs: network SNRs of the signals, of shape ``(signal,)``.
            generator: source of randomness.

        Returns:
            Kernels of shape ``(batch, ifo, kernel_size)`` and labels of
            shape ``(batch,)``: 1 where a coherent signal was added, else 0.
        """
        psd = _by_pieces(self.estimate, PSDS_IN_CACHE, X[..., : self.psd_size])
        windows = invert_and_reverse(
            X[..., self.psd_size :],
            self.invert_prob,
            self.reverse_prob,
            generator,
        )
        labels = torch.zeros(len(X), device=X.device)
        if len(rows) > 0:
            signals, broken = self._signals(
                polarizations, psd[rows], coalescence, snrs, generator
            )
            windows = windows.index_add(0, rows, signals)
            labels[rows] = (~broken).float()
        kernels = _by_pieces(self.whiten, WINDOWS_IN_CACHE, windows, psd)
        return kernels, labels

    def _signals(
        self,
        polarizations: Tensor,
        psd: Tensor,
        coalescence: int,
        snrs: Tensor,
        generator: Generator,
    ) -> tuple[Tensor, Tensor]:
        """Placed responses, and a mask of those made incoherent."""
        config = self.config
        responses, delays = self.project(polarizations, generator)
        responses = rescale(
            responses,
            snrs,
            psd,
            config.sample_rate,
            config.highpass,
            config.lowpass,
        )
        positions = self.placement.random(len(snrs), generator)
        signals = place(
            responses,
            coalescence,
            positions[:, None] + delays,
            config.window_size,
        )
        return break_coherence(
            signals, self.swap_frac, self.mute_frac, generator
        )


class ValidationTransform(nn.Module):
    """Make validation kernels as a search would see them.

    One PSD, from the data that precede a piece, whitens the whole piece;
    each signal is added to a window of it, at several positions.

    Args:
        config: the settings of the network.
        psd_length: seconds of data that the PSD is estimated from.
        placement: where coalescences may lie.
        stride: samples between background kernels.
        window: background kernels that are pooled together.
        num_views: positions of each signal.
    """

    def __init__(
        self,
        config: Preprocessing,
        psd_length: float,
        placement: Placement,
        stride: int,
        window: int,
        num_views: int,
    ) -> None:
        super().__init__()
        self.config = config
        self.psd_size = config.size("psd_length", psd_length)
        self.placement = placement
        self.stride = stride
        self.window = window
        self.num_views = num_views
        self.estimate = PsdEstimator(config.sample_rate, config.fftlength)
        self.whiten = Whitener(config)

    def forward(
        self, X: Tensor, responses: Tensor, coalescence: int
    ) -> tuple[Tensor, Tensor]:
        """Cut, inject and whiten.

        Args:
            X: background of one slide, of shape ``(ifo, time)``.
            responses: signals of shape ``(signal, ifo, time)``.
            coalescence: sample of the coalescence in ``responses``.

        Returns:
            Background kernels of shape ``(pool, window, ifo,
            kernel_size)``, and foreground kernels of shape ``(signal, view,
            ifo, kernel_size)``.
        """
        psd = self.estimate(X[:, : self.psd_size])
        X = X[:, self.psd_size :]
        kernel_size = self.config.kernel_size
        kernels = self.whiten(X[None], psd)[0]
        kernels = kernels.unfold(-1, kernel_size, self.stride)
        background = kernels.transpose(0, 1).unflatten(0, (-1, self.window))

        foreground = self._foreground(X, psd, responses, coalescence)
        return background, foreground

    def _foreground(
        self, X: Tensor, psd: Tensor, responses: Tensor, coalescence: int
    ) -> Tensor:
        """Signals at all positions, each in its own window of ``X``."""
        config = self.config
        count = len(responses)
        shape = (count, self.num_views)
        if count == 0:
            return X.new_zeros(*shape, config.num_ifos, config.kernel_size)
        windows = X.unfold(-1, config.window_size, self.stride)
        windows = windows.transpose(0, 1)
        spread = torch.linspace(0, len(windows) - 1, count, device=X.device)
        windows = windows[spread.round().long()]
        views = self.placement.even(self.num_views, X.device)
        signals = place(
            responses.repeat_interleave(self.num_views, dim=0),
            coalescence,
            views.repeat(count),
            config.window_size,
        )
        foreground = windows[:, None] + signals.unflatten(0, shape)
        return self.whiten(foreground.flatten(0, 1), psd).unflatten(0, shape)
