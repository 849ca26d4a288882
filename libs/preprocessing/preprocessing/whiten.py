"""Whitening, the same for training, export and inference."""

import torch
from ml4gw.spectral import (
    normalize_by_psd,
    truncate_inverse_power_spectrum,
)
from ml4gw.transforms import Whiten
from torch import Tensor

from preprocessing.config import Preprocessing


class Whitener(torch.nn.Module):
    """Whiten strain with a given PSD.

    The filter is the inverse amplitude spectral density, truncated in the
    time domain to ``fduration`` seconds and limited to the band
    (``ml4gw.transforms.Whiten``, in two steps).

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

    def make_filter(self, psd: Tensor, size: int) -> Tensor:
        """The filter for stretches of one length.

        It is worth keeping where several stretches share a PSD.

        Args:
            psd: in 1/Hz, float64, of shape ``(ifo, frequency)`` or
                ``(batch, ifo, frequency)``.
            size: samples of the stretches to be whitened.

        Returns:
            What :meth:`apply_filter` divides their power by, float64, of
            shape ``(1 or batch, ifo, size // 2 + 1)``.
        """
        if psd.dim() == 2:
            psd = psd[None]
        psd = torch.nn.functional.interpolate(
            psd, size=size // 2 + 1, mode="linear", align_corners=True
        )
        return truncate_inverse_power_spectrum(
            psd,
            self.whiten.window,
            self.whiten.sample_rate,
            highpass=self.whiten.highpass,
            lowpass=self.whiten.lowpass,
        )

    def apply_filter(self, X: Tensor, whitening: Tensor) -> Tensor:
        """Whiten with a filter and crop.

        Args:
            X: strain of shape ``(batch, ifo, time)``.
            whitening: what :meth:`make_filter` gave for this length.

        Returns:
            As :meth:`forward`.
        """
        pad = self.whiten.window.size(-1) // 2
        whitened = normalize_by_psd(X, whitening, self.whiten.sample_rate, pad)
        return whitened.float()

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
        return self.apply_filter(X, self.make_filter(psd, X.size(-1)))
