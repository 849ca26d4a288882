"""The Lightning module of the autoencoder."""

from collections.abc import Sequence
from typing import Any

import torch
from architectures.autoencoder import ConvolutionalAutoencoder
from conventions.errors import UserError
from ml4gw.transforms import ShiftedPearsonCorrelation
from torch import Tensor, nn

from train.metrics import TimeSlideAUROC
from train.model.base import AframeModule


class Coherence(nn.Module):
    """How well each interferometer is predicted from the others.

    Args:
        autoencoder: maps series of shape ``(batch, ifo, time)`` to such
            series, each interferometer by itself.
        max_shift: samples by which predictions may be late or early.
    """

    def __init__(self, autoencoder: nn.Module, max_shift: int) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.correlate = ShiftedPearsonCorrelation(max_shift)

    def predict(self, X: Tensor) -> Tensor:
        """Predict each interferometer from all others, never from itself.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.

        Returns:
            For each interferometer the mean of what the decoders of the
            others made, of the shape of ``X``.
        """
        count = X.size(1)
        others = 1 - torch.eye(count, dtype=X.dtype, device=X.device)
        decoded = self.autoencoder(X)
        return torch.einsum("ij,bjt->bit", others / (count - 1), decoded)

    def forward(self, X: Tensor) -> Tensor:
        """Coherence of kernels.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.

        Returns:
            Root of the sum over interferometers of the squares of the
            largest Pearson correlation, over shifts, of prediction and
            strain, of shape ``(batch,)``; negative correlations count as
            none.
        """
        correlation = self.correlate(self.predict(X), X).amax(0)
        return torch.linalg.vector_norm(correlation.clamp(min=0), dim=1)


class AutoencoderAframe(AframeModule):
    """Learns what interferometers have in common, without labels.

    The decoder of each interferometer, which sees nothing else, predicts the
    others; what is common to them cannot be noise. The statistic is how well
    that succeeds (science.md, semi-supervised variant).

    Args:
        arch: the autoencoder.
        max_shift: by which predictions may be late or early, in seconds.
    """

    def __init__(
        self,
        arch: ConvolutionalAutoencoder,
        metric: TimeSlideAUROC,
        *args: Any,
        max_shift: float = 0.005,
        **kwargs: Any,
    ) -> None:
        super().__init__(arch, metric, *args, **kwargs)
        if max_shift < 0:
            raise UserError(f"max_shift: {max_shift} s must not be negative")
        self.max_shift = max_shift

    def setup(self, stage: str) -> None:
        """Learn the sample rate from the data.

        Raises:
            UserError: if there are no others to predict an interferometer
                from.
        """
        config = self.trainer.datamodule.config
        if config.num_ifos < 2:
            raise UserError(
                f"ifos: {', '.join(config.ifos)} alone cannot be predicted "
                "from others; the autoencoder needs at least two"
            )
        self.shift_size = round(self.max_shift * config.sample_rate)

    @property
    def network(self) -> Coherence:
        """Maps whitened strain to its coherence."""
        return Coherence(self.arch, self.shift_size)

    def loss(self, inputs: Sequence[Tensor], y: Tensor) -> Tensor:
        """Minus the mean coherence; labels are of no use."""
        return -self(*inputs).mean()

    def show_scores(self, *tensors: Tensor) -> None:
        """Show predictions too."""
        predict = self.network.predict
        predictions = (
            predict(X.flatten(0, 1)).view(X.shape) for X in tensors[2:]
        )
        super().show_scores(*tensors, *predictions)
