"""ResNets on one representation of the whitened strain."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from ml4gw.nn.norm import GroupNorm2D
from ml4gw.nn.resnet import ResNet1D, ResNet2D
from torch import Tensor, nn

from architectures import arguments
from architectures.norm import GroupNorm

#: Residual blocks in each stage of the 34-layer network.
LAYERS_34 = (3, 4, 6, 3)


class _Branch:
    # goes before one of ml4gw's ResNets
    _norm: ClassVar[type[nn.Module]]

    def __init__(
        self,
        channels: int,
        classes: int,
        layers: Sequence[int] = LAYERS_34,
        kernel_size: int = 3,
        norm_groups: int = 16,
        zero_init_residual: bool = False,
    ) -> None:
        arguments.positive(channels=channels, classes=classes)
        # ml4gw's ResNets take their last width from the second stage onwards
        arguments.counts(2, layers=layers)
        arguments.odd(kernel_size=kernel_size)
        arguments.groups(norm_groups, [64 * 2**i for i in range(len(layers))])
        super().__init__(
            channels,
            list(layers),
            classes=classes,
            kernel_size=kernel_size,
            zero_init_residual=zero_init_residual,
            norm_layer=partial(self._norm, num_groups=norm_groups),
        )


class Branch1D(_Branch, ResNet1D):
    """ml4gw's ResNet on series, with group normalisation.

    The 34-layer network is that of arXiv:1512.03385 with one axis.

    Args:
        channels: of the input.
        classes: numbers that an input is mapped to.
        layers: residual blocks in each stage, at least two stages.
        kernel_size: taps of the residual convolutions, odd.
        norm_groups: groups of the group normalisation.
        zero_init_residual: start each residual branch at zero.

    Raises:
        UserError: if an argument has no meaning.
    """

    _norm = GroupNorm


class Branch2D(_Branch, ResNet2D):
    """ml4gw's ResNet on images, with group normalisation.

    Args:
        channels: of the input.
        classes: numbers that an input is mapped to.
        layers: residual blocks in each stage, at least two stages.
        kernel_size: taps of the residual convolutions along each axis, odd.
        norm_groups: groups of the group normalisation.
        zero_init_residual: start each residual branch at zero.

    Raises:
        UserError: if an argument has no meaning.
    """

    _norm = GroupNorm2D


class _Detector:
    # goes before a branch: one number for the data of all ifos
    _channels_per_ifo: ClassVar[int] = 1

    def __init__(
        self,
        num_ifos: int,
        layers: Sequence[int] = LAYERS_34,
        kernel_size: int = 3,
        norm_groups: int = 16,
        zero_init_residual: bool = False,
    ) -> None:
        arguments.positive(num_ifos=num_ifos)
        super().__init__(
            self._channels_per_ifo * num_ifos,
            1,
            layers,
            kernel_size,
            norm_groups,
            zero_init_residual,
        )


class SupervisedTimeDomainResNet(_Detector, Branch1D):
    """ResNet on the whitened time series (arXiv:2403.18661, section III).

    Args:
        num_ifos: number of interferometers, the input's channels.
        layers: residual blocks in each stage, at least two stages;
            ``[3, 4, 6, 3]`` is the 34-layer network of the paper.
        kernel_size: taps of the residual convolutions, odd.
        norm_groups: groups of the group normalisation.
        zero_init_residual: start each residual branch at zero.

    Raises:
        UserError: if an argument has no meaning.
    """

    def forward(self, X: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.

        Returns:
            Logits of shape ``(batch,)``.
        """
        return super().forward(X).flatten()


class SupervisedFrequencyDomainResNet(_Detector, Branch1D):
    """ResNet on the spectrum of the whitened strain.

    The network of arXiv:2403.18661 along the axis of frequency; real and
    imaginary part of each interferometer are channels of their own, so that
    its phase is kept.

    Args:
        num_ifos: number of interferometers; the input has twice as many
            channels.
        layers: residual blocks in each stage, at least two stages.
        kernel_size: taps of the residual convolutions, odd.
        norm_groups: groups of the group normalisation.
        zero_init_residual: start each residual branch at zero.

    Raises:
        UserError: if an argument has no meaning.
    """

    _channels_per_ifo = 2

    def forward(self, X_fft: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X_fft: spectra of shape ``(batch, 2 ifo, frequency)``: the real
                parts of all interferometers, then the imaginary parts.

        Returns:
            Logits of shape ``(batch,)``.
        """
        return super().forward(X_fft).flatten()


class SupervisedSpectrogramDomainResNet(_Detector, Branch2D):
    """ResNet on spectrograms of the whitened strain.

    The two-dimensional ResNet of arXiv:1512.03385; its input is an image
    per interferometer, such as a Q-transform.

    Args:
        num_ifos: number of interferometers, the input's channels.
        layers: residual blocks in each stage, at least two stages.
        kernel_size: taps of the residual convolutions along each axis, odd.
        norm_groups: groups of the group normalisation.
        zero_init_residual: start each residual branch at zero.

    Raises:
        UserError: if an argument has no meaning.
    """

    def forward(self, X_spec: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X_spec: spectrograms of shape ``(batch, ifo, frequency, time)``.

        Returns:
            Logits of shape ``(batch,)``.
        """
        return super().forward(X_spec).flatten()
