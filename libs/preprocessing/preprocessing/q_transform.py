"""Spectrograms of constant quality factor."""

import math
from collections.abc import Sequence

import torch
from conventions.errors import UserError
from ml4gw.transforms import SingleQTransform
from torch import Tensor
from torch.nn import functional

from preprocessing.config import Preprocessing


class QTransform(torch.nn.Module):
    """Q-transform of the kernel in the whitened band, as an image.

    Tiles of ``ml4gw.transforms.SingleQTransform`` (Chatterji et al.,
    arXiv:gr-qc/0412119): frequencies are spaced logarithmically from
    ``highpass`` to ``lowpass``, or where these are not given as far as the
    kernel and the Nyquist frequency allow. The energy of each frequency is
    averaged, or where its tiles are too few interpolated, to the bins of
    time; what is returned is its root. In white noise of unit variance the
    mean energy is 1: it takes the noise's variance, not the median over
    the kernel, which a signal would shift.

    Shape: ``(ifo, frequency, time)``.

    Args:
        config: the settings of the network.
        spectrogram_shape: bins of frequency and of time.
        q: quality factor, the number of cycles in a tile times about 2 pi.

    Attributes:
        shape: of one sample.

    Raises:
        UserError: if the image has no bins, or the band or the kernel is
            too short for the quality factor.
    """

    def __init__(
        self,
        config: Preprocessing,
        spectrogram_shape: Sequence[int],
        q: float = 12.0,
    ) -> None:
        super().__init__()
        if len(spectrogram_shape) != 2 or min(spectrogram_shape) < 1:
            raise UserError(
                f"spectrogram_shape: {list(spectrogram_shape)} must be the "
                "numbers of bins of frequency and of time"
            )
        if not q > 0:
            raise UserError(f"q: {q} must be positive")
        duration, rate = config.kernel_length, config.sample_rate
        # the window of a tile is f / q' wide on each side
        widest = rate / 2 / (1 + math.sqrt(11) / q)
        low = config.highpass or 50 * q / (2 * math.pi * duration)
        high = min(config.lowpass or widest, widest)
        try:
            if not low < high:
                raise ValueError(
                    f"no tile fits between {low:g} Hz and Nyquist"
                )
            transform = SingleQTransform(
                duration, rate, tuple(spectrogram_shape), q, [low, high]
            )
        except ValueError as error:
            raise UserError(
                f"q: {q} does not suit kernels of {duration:g} s at "
                f"{rate:g} Hz: {error}"
            ) from error
        self.tiles = transform.qtile_transforms
        self.bins = tuple(spectrogram_shape)
        self.shape = (config.num_ifos, *self.bins)
        # mean energy of white noise: of |rfft / size|^2, summed over the
        # window, in an inverse transform to so many tiles
        energies = [
            float(tile.window.double().square().sum())
            / (config.kernel_size * tile.ntiles() ** 2)
            for tile in self.tiles
        ]
        self.register_buffer("energies", torch.tensor(energies))

    def forward(self, kernels: Tensor) -> Tensor:
        """Transform kernels.

        Args:
            kernels: of shape ``(batch, ifo, time)``.

        Returns:
            Images of shape ``(batch, ifo, frequency, time)``.
        """
        spectrum = torch.fft.rfft(kernels, norm="forward")
        count = self.bins[1]
        rows = []
        for tile, mean in zip(self.tiles, self.energies, strict=True):
            energy = tile(spectrum, norm=None) / mean
            if tile.ntiles() > count:
                row = functional.adaptive_avg_pool1d(energy, count)
            else:
                row = functional.interpolate(energy, count, mode="linear")
            rows.append(row)
        image = torch.stack(rows, dim=-2)
        return functional.interpolate(image, self.bins, mode="bilinear").sqrt()
