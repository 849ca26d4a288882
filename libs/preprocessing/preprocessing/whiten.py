"""Whitening, the same for training, export and inference."""

import torch
from ml4gw.transforms import Whiten
from torch import Tensor

from preprocessing.config import Preprocessing


class Whitener(torch.nn.Module):
    """Whiten strain with a given PSD.

    The filter is the inverse amplitude spectral density, truncated in the
    time domain to ``fduration`` seconds and limited to the band: the numbers
    of ``ml4gw.transforms.Whiten``, in two steps and without its detours, such
    as from the filter to a PSD and back, which take a CPU as long again.

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
        self.sample_rate = float(config.sample_rate)
        self.highpass = float(config.highpass or 0.0)
        self.lowpass = float(config.lowpass or 0.0)

    def make_filter(self, psd: Tensor, size: int) -> Tensor:
        """The filter for stretches of one length.

        It is worth keeping where several stretches share a PSD.

        Args:
            psd: in 1/Hz, float64, of shape ``(ifo, frequency)`` or
                ``(batch, ifo, frequency)``.
            size: samples of the stretches to be whitened.

        Returns:
            What :meth:`apply_filter` multiplies their spectra by, float64,
            of shape ``(1 or batch, ifo, size // 2 + 1)``.
        """
        if psd.dim() == 2:
            psd = psd[None]
        psd = torch.nn.functional.interpolate(
            psd, size=size // 2 + 1, mode="linear", align_corners=True
        )
        inverse = psd.rsqrt()
        even = 2 * (inverse.size(-1) - 1)
        inverse[..., : int(self.highpass * even / self.sample_rate)] = 0
        if self.lowpass > 0:
            inverse[..., int(self.lowpass * even / self.sample_rate) :] = 0
        if inverse.size(-1) % 2:
            inverse[..., -1] = 0
        response = torch.fft.irfft(inverse, n=even)
        window = self.whiten.window
        pad = window.size(-1) // 2
        response[..., :pad] *= window[-pad:]
        response[..., -pad:] *= window[:pad]
        if 2 * pad < even:
            response[..., pad : even - pad] = 0
        # The response is even, so that its spectrum is real. A one-sided PSD
        # is that of twice the power; a unit of it is a sample's duration.
        spectrum = torch.fft.rfft(response).real.abs()
        spectrum *= (2.0 / self.sample_rate) ** 0.5
        return torch.nan_to_num(spectrum)

    def apply_filter(self, X: Tensor, whitening: Tensor) -> Tensor:
        """Whiten with a filter and crop.

        Args:
            X: strain of shape ``(batch, ifo, time)``.
            whitening: what :meth:`make_filter` gave for this length.

        Returns:
            As :meth:`forward`.
        """
        pad = self.whiten.window.size(-1) // 2
        X = X - X.mean(-1, keepdim=True)
        spectra = torch.fft.rfft(X.double()) * whitening
        whitened = torch.fft.irfft(spectra, n=X.size(-1))
        return whitened[..., pad:-pad].float()

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
