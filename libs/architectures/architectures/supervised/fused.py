"""ResNets on two representations of the same strain, decided on together."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from architectures import arguments
from architectures.supervised.resnet import LAYERS_34, Branch1D, Branch2D


class _Classifier(nn.Sequential):
    def __init__(self, features: int) -> None:
        # a single layer would be a sum of one statistic per branch
        super().__init__(
            nn.Linear(features, features), nn.ReLU(), nn.Linear(features, 1)
        )

    def forward(self, *branches: Tensor) -> Tensor:
        return super().forward(torch.cat(branches, dim=-1)).flatten()


class SupervisedMultiModalResNet(nn.Module):
    """ResNets on the time series and on its spectrum, fused.

    Each branch is a one-dimensional ResNet (arXiv:1512.03385, in the form
    of arXiv:2403.18661) that ends in a vector of features; a hidden layer
    combines both.

    Args:
        num_ifos: number of interferometers.
        time_classes: features of the time series.
        freq_classes: features of the spectrum.
        time_layers: residual blocks in each stage of the time branch.
        freq_layers: residual blocks in each stage of the frequency branch.
        time_kernel_size: taps of the time branch's convolutions, odd.
        freq_kernel_size: taps of the frequency branch's convolutions, odd.
        norm_groups: groups of the group normalisations.
        zero_init_residual: start each residual branch at zero.

    Raises:
        UserError: if an argument has no meaning.
    """

    def __init__(
        self,
        num_ifos: int,
        time_classes: int = 64,
        freq_classes: int = 64,
        time_layers: Sequence[int] = LAYERS_34,
        freq_layers: Sequence[int] = LAYERS_34,
        time_kernel_size: int = 3,
        freq_kernel_size: int = 3,
        norm_groups: int = 16,
        zero_init_residual: bool = False,
    ) -> None:
        arguments.positive(
            num_ifos=num_ifos,
            time_classes=time_classes,
            freq_classes=freq_classes,
        )
        super().__init__()
        shared = norm_groups, zero_init_residual
        self.time_resnet = Branch1D(
            num_ifos, time_classes, time_layers, time_kernel_size, *shared
        )
        self.frequency_resnet = Branch1D(
            2 * num_ifos, freq_classes, freq_layers, freq_kernel_size, *shared
        )
        self.classifier = _Classifier(time_classes + freq_classes)

    def forward(self, X: Tensor, X_fft: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.
            X_fft: its spectra, of shape ``(batch, 2 ifo, frequency)``: the
                real parts of all interferometers, then the imaginary parts.

        Returns:
            Logits of shape ``(batch,)``.
        """
        return self.classifier(
            self.time_resnet(X), self.frequency_resnet(X_fft)
        )


class SupervisedTimeSpectrogramResNet(nn.Module):
    """ResNets on the time series and on its spectrogram, fused.

    A one-dimensional and a two-dimensional ResNet (arXiv:1512.03385) that
    end in a vector of features each; a hidden layer combines both.

    Args:
        num_ifos: number of interferometers, the channels of both inputs.
        time_classes: features of the time series.
        spec_classes: features of the spectrogram.
        time_layers: residual blocks in each stage of the time branch.
        spec_layers: residual blocks in each stage of the other branch.
        time_kernel_size: taps of the time branch's convolutions, odd.
        spec_kernel_size: taps, along each axis, of the other's, odd.
        norm_groups: groups of the group normalisations.
        zero_init_residual: start each residual branch at zero.

    Raises:
        UserError: if an argument has no meaning.
    """

    def __init__(
        self,
        num_ifos: int,
        time_classes: int = 64,
        spec_classes: int = 64,
        time_layers: Sequence[int] = LAYERS_34,
        spec_layers: Sequence[int] = LAYERS_34,
        time_kernel_size: int = 3,
        spec_kernel_size: int = 3,
        norm_groups: int = 16,
        zero_init_residual: bool = False,
    ) -> None:
        arguments.positive(
            num_ifos=num_ifos,
            time_classes=time_classes,
            spec_classes=spec_classes,
        )
        super().__init__()
        shared = norm_groups, zero_init_residual
        self.time_resnet = Branch1D(
            num_ifos, time_classes, time_layers, time_kernel_size, *shared
        )
        self.spectrogram_resnet = Branch2D(
            num_ifos, spec_classes, spec_layers, spec_kernel_size, *shared
        )
        self.classifier = _Classifier(time_classes + spec_classes)

    def forward(self, X: Tensor, X_spec: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.
            X_spec: its spectrograms, of shape
                ``(batch, ifo, frequency, time)``; their bins of time are
                their own.

        Returns:
            Logits of shape ``(batch,)``.
        """
        return self.classifier(
            self.time_resnet(X), self.spectrogram_resnet(X_spec)
        )
