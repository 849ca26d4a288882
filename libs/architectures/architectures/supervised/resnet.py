"""ResNets on one representation of the whitened strain."""

from collections.abc import Sequence
from functools import partial

from ml4gw.nn.norm import GroupNorm1D, GroupNorm2D
from ml4gw.nn.resnet import ResNet1D, ResNet2D
from torch import Tensor

from architectures import arguments

#: Residual blocks in each stage of the 34-layer network.
LAYERS_34 = (3, 4, 6, 3)


def _check(
    channels: int,
    classes: int,
    layers: Sequence[int],
    kernel_size: int,
    norm_groups: int,
) -> None:
    arguments.positive(channels=channels, classes=classes)
    # ml4gw's ResNets take their last width from the second stage onwards
    arguments.counts(2, layers=layers)
    arguments.odd(kernel_size=kernel_size)
    arguments.groups(norm_groups, [64 * 2**i for i in range(len(layers))])


class Branch1D(ResNet1D):
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

    def __init__(
        self,
        channels: int,
        classes: int,
        layers: Sequence[int] = LAYERS_34,
        kernel_size: int = 3,
        norm_groups: int = 16,
        zero_init_residual: bool = False,
    ) -> None:
        _check(channels, classes, layers, kernel_size, norm_groups)
        super().__init__(
            channels,
            list(layers),
            classes=classes,
            kernel_size=kernel_size,
            zero_init_residual=zero_init_residual,
            norm_layer=partial(GroupNorm1D, num_groups=norm_groups),
        )


class Branch2D(ResNet2D):
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

    def __init__(
        self,
        channels: int,
        classes: int,
        layers: Sequence[int] = LAYERS_34,
        kernel_size: int = 3,
        norm_groups: int = 16,
        zero_init_residual: bool = False,
    ) -> None:
        _check(channels, classes, layers, kernel_size, norm_groups)
        super().__init__(
            channels,
            list(layers),
            classes=classes,
            kernel_size=kernel_size,
            zero_init_residual=zero_init_residual,
            norm_layer=partial(GroupNorm2D, num_groups=norm_groups),
        )


class SupervisedTimeDomainResNet(Branch1D):
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
            num_ifos, 1, layers, kernel_size, norm_groups, zero_init_residual
        )

    def forward(self, X: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.

        Returns:
            Logits of shape ``(batch,)``.
        """
        return super().forward(X).flatten()


class SupervisedFrequencyDomainResNet(Branch1D):
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
            2 * num_ifos,
            1,
            layers,
            kernel_size,
            norm_groups,
            zero_init_residual,
        )

    def forward(self, X_fft: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X_fft: spectra of shape ``(batch, 2 ifo, frequency)``: the real
                parts of all interferometers, then the imaginary parts.

        Returns:
            Logits of shape ``(batch,)``.
        """
        return super().forward(X_fft).flatten()


class SupervisedSpectrogramDomainResNet(Branch2D):
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
            num_ifos, 1, layers, kernel_size, norm_groups, zero_init_residual
        )

    def forward(self, X_spec: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X_spec: spectrograms of shape ``(batch, ifo, frequency, time)``.

        Returns:
            Logits of shape ``(batch,)``.
        """
        return super().forward(X_spec).flatten()
