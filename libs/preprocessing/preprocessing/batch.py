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

    Args:
        config: the settings of the network.
        psd_length: seconds of data that the PSD is estimated from.
        inference_sampling_rate: kernels per second, in Hz.
        batch_size: kernels per stream.

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
        whitened = self.whitener(full[:, :, self.psd_size :], psd)
        kernels = whitened.unfold(-1, self.kernel_size, self.stride)
        kernels = kernels.transpose(1, 2)
        shape = [-1, full.size(1), self.kernel_size]
        return kernels.reshape(shape).contiguous()
