"""The stateful part of streaming: the data that a request needs."""

import torch
from conventions.errors import UserError
from torch import Tensor

from preprocessing.config import Preprocessing, whole_samples


def stride_size(config: Preprocessing, inference_sampling_rate: float) -> int:
    """Samples between two network outputs.

    Args:
        config: the settings of the network.
        inference_sampling_rate: network outputs per second, in Hz.

    Raises:
        UserError: if it is not positive or not a divisor of the sample
            rate.
    """
    if inference_sampling_rate <= 0:
        raise UserError(
            f"inference_sampling_rate: {inference_sampling_rate} must be "
            "positive"
        )
    size = config.sample_rate / inference_sampling_rate
    if size < 1 or size != round(size):
        raise UserError(
            f"inference_sampling_rate: {inference_sampling_rate:g} Hz must "
            f"divide sample_rate {config.sample_rate:g} Hz"
        )
    return int(size)


def psd_size(config: Preprocessing, psd_length: float) -> int:
    """Samples of the data that a PSD is estimated from.

    Args:
        config: the settings of the network.
        psd_length: in seconds.

    Raises:
        UserError: if it is shorter than ``fftlength`` or not a whole
            number of samples.
    """
    if psd_length < config.fftlength:
        raise UserError(
            f"psd_length: {psd_length:g} s must be at least fftlength "
            f"{config.fftlength:g} s"
        )
    return whole_samples("psd_length", psd_length, config.sample_rate)


class Snapshotter(torch.nn.Module):
    """Keeps the last seconds of each stream.

    Args:
        config: the settings of the network.
        psd_length: seconds of data that a PSD is estimated from.
        inference_sampling_rate: network outputs per second, in Hz.
        batch_size: network outputs per request and stream.

    Attributes:
        psd_size: samples that the PSD is estimated from.
        stride: samples between two network outputs.
        state_size: samples kept between requests:
            ``kernel_length + fduration + psd_length
            - 1 / inference_sampling_rate`` seconds.
        update_size: samples that a request brings:
            ``batch_size / inference_sampling_rate`` seconds.

    Raises:
        UserError: if a length is not a whole number of samples, the PSD is
            shorter than ``fftlength`` or ``batch_size`` is not positive.
    """

    def __init__(
        self,
        config: Preprocessing,
        psd_length: float,
        inference_sampling_rate: float,
        batch_size: int,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise UserError(f"batch_size: {batch_size} must be at least 1")
        self.psd_size = psd_size(config, psd_length)
        self.stride = stride_size(config, inference_sampling_rate)
        self.state_size = self.psd_size + config.window_size - self.stride
        self.update_size = batch_size * self.stride

    def forward(self, update: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Append a request's data to the state.

        Args:
            update: strain of shape ``(stream, ifo, update_size)``.
            state: what the previous request left, of shape
                ``(stream, ifo, state_size)``; zeros for a first request.

        Returns:
            Strain of shape ``(stream, ifo, state_size + update_size)`` and
            the new state.
        """
        full = torch.cat([state, update], dim=-1)
        return full, full[..., self.update_size :].clone()
