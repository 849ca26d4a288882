"""Whitening, the same for training, export and inference."""

import torch
from ml4gw.transforms import Whiten
from torch import Tensor

from preprocessing.config import Preprocessing


class Whitener(torch.nn.Module):
    """Whiten strain with a given PSD.

    The filter is the inverse amplitude spectral density, truncated in the
    time domain to ``fduration`` seconds and limited to the band.

    Args:
        config: the settings of the network.
    """

    def __init__(self, config: Preprocessing) -> None:
        super().__init__()
        self.whiten = Whiten(
            config.fduration,
            config.sample_rate,
            highpass=config.highpass,
            lowpass=config.lowpass,
        )

    def forward(self, X: Tensor, psd: Tensor) -> Tensor:
        """Whiten and crop ``fduration / 2`` from each side.

        Args:
            X: strain of shape ``(batch, ifo, time)``.
            psd: in 1/Hz, float64, of shape ``(ifo, frequency)`` or
                ``(batch, ifo, frequency)``.

        Returns:
            Whitened strain of shape ``(batch, ifo, time - fduration)``,
            float32, of unit variance for noise with this PSD and no band
            limits.
        """
        num_frequencies = X.size(-1) // 2 + 1
        if psd.dim() == 2:
            psd = psd[None]
        psd = torch.nn.functional.interpolate(
            psd, size=num_frequencies, mode="linear", align_corners=True
        )
        return self.whiten(X, psd).float()
