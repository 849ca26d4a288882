"""From a stretch of strain to a batch of whitened kernels."""

import torch
from torch import Tensor

from preprocessing.config import Preprocessing
from preprocessing.psd import PsdEstimator
from preprocessing.snapshotter import Snapshotter
from preprocessing.whiten import Whitener


def fast_size(size: int) -> int:
    """The next even number of samples that is fast to transform.

    A large prime factor makes a Fourier transform several times slower.

    Args:
        size: at least so many.

    Returns:
        The smallest even number from ``size`` on whose prime factors are
        2, 3, 5 and 7.
    """
    size += size % 2
    while True:
        rest = size
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 2


class BatchWhitener(torch.nn.Module):
    """Whiten a stretch of strain and cut it into overlapping kernels.

    The PSD is estimated from the first ``psd_length`` seconds of the first
    stream, the background; it whitens the rest of all streams, so that an
    injection never contaminates the PSD it is whitened with. What is
    transformed to be whitened begins up to some samples earlier, at
    ``stretch_start``, where that makes its length a fast one.

    No channel depends on another. What whitens the same data of a channel
    again and again, as time-slides do, can take the steps one by one:
    ``estimate`` (PSD of each channel), ``whitener`` (filter and whitening)
    and :meth:`cut` on channels in any grouping give the numbers of
    :meth:`forward`.

    Args:
        config: the settings of the network.
        psd_length: seconds of data that the PSD is estimated from.
        inference_sampling_rate: kernels per second, in Hz.
        batch_size: kernels per stream.

    Attributes:
        psd_size: samples that the PSD is estimated from.
        stretch_start: first sample that is whitened.
        early: whitened samples that precede the first kernel.
        stride: samples between two kernels.
        kernel_size: samples in a kernel.
        estimate: the PSD of data of ``psd_size`` samples.
        whitener: whitens the samples from ``stretch_start`` on.

    Raises:
        UserError: if a length is not a whole number of samples or the PSD
            is shorter than ``fftlength``.
    """

    def __init__(
        self,
        config: Preprocessing,
        psd_length: float,
        inference_sampling_rate: float,
        batch_size: int,
    ) -> None:
        super().__init__()
        sizes = Snapshotter(
            config, psd_length, inference_sampling_rate, batch_size
        )
        self.psd_size = sizes.psd_size
        self.stride = sizes.stride
        # The first kernel's filter begins where the PSD's data end.
        size = config.window_size + (batch_size - 1) * sizes.stride
        early = fast_size(size) - size
        self.early = early if early <= sizes.psd_size else 0
        self.stretch_start = sizes.psd_size - self.early
        self.kernel_size = config.kernel_size
        self.estimate = PsdEstimator(config.sample_rate, config.fftlength)
        self.whitener = Whitener(config)

    def cut(self, whitened: Tensor) -> Tensor:
        """Cut whitened stretches into overlapping kernels.

        Args:
            whitened: what ``whitener`` made of all from ``stretch_start``
                on, of shape ``(stream, ifo, time)``.

        Returns:
            Kernels of shape ``(stream * batch_size, ifo, kernel_size)``:
            all of the first stream, then all of the next.
        """
        whitened = whitened[..., self.early :]
        kernels = whitened.unfold(-1, self.kernel_size, self.stride)
        kernels = kernels.transpose(1, 2)
        shape = [-1, whitened.size(1), self.kernel_size]
        return kernels.reshape(shape).contiguous()

    def forward(self, full: Tensor) -> Tensor:
        """Make the kernels of one request.

        Args:
            full: strain of shape ``(stream, ifo, time)``, ``psd_length +
                fduration + kernel_length + (batch_size - 1) /
                inference_sampling_rate`` seconds long; the background
                first, then, optionally, copies with injections.

        Returns:
            Kernels of shape ``(stream * batch_size, ifo, kernel_size)``,
            float32: all of the first stream, then all of the next. The
            right edge of kernel i lies ``(batch_size - 1 - i) /
            inference_sampling_rate + fduration / 2`` seconds before that
            of ``full``.
        """
        psd = self.estimate(full[0, :, : self.psd_size])
        return self.cut(self.whitener(full[:, :, self.stretch_start :], psd))
