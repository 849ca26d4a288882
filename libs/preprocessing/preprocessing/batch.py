"""From a stretch of strain to a batch of whitened kernels."""

import torch
from torch import Tensor

from preprocessing.config import Preprocessing
from preprocessing.psd import PsdEstimator
from preprocessing.snapshotter import Snapshotter
from preprocessing.whiten import Whitener


class BatchWhitener(torch.nn.Module):
    """Whiten a stretch of strain and cut it into overlapping kernels.

    The PSD is estimated from the first ``psd_length`` seconds of the first
    stream, the background; it whitens the rest of all streams, so that an
    injection never contaminates the PSD it is whitened with.

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
        stride: samples between two kernels.
        kernel_size: samples in a kernel.
        estimate: the PSD of data of ``psd_size`` samples.
        whitener: whitens the samples that follow those.

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
        self.kernel_size = config.kernel_size
        self.estimate = PsdEstimator(config.sample_rate, config.fftlength)
        self.whitener = Whitener(config)

    def cut(self, whitened: Tensor) -> Tensor:
        """Cut whitened stretches into overlapping kernels.

        Args:
            whitened: of shape ``(stream, ifo, time)``.

        Returns:
            Kernels of shape ``(stream * kernels, ifo, kernel_size)``: all
            of the first stream, then all of the next. The first begins
            with the stretch, each ``stride`` samples after the one before;
            samples behind the last whole one are left.
        """
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
        return self.cut(self.whitener(full[:, :, self.psd_size :], psd))
