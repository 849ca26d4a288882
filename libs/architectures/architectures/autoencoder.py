"""Networks that reconstruct whitened strain."""

from collections.abc import Sequence
from functools import partial

from ml4gw.nn.autoencoder.convolutional import ConvBlock
from torch import Tensor, nn

from architectures import arguments
from architectures.norm import GroupNorm


class Level(ConvBlock):
    """A convolution and the transposed one that undoes its stride.

    ml4gw's block with one group per interferometer, also in the
    normalisation, whose decoder computes every sample of a given length:
    ml4gw pads with zeros what the strides cut off.

    Args:
        num_ifos: number of groups.
        in_channels: channels of an interferometer above this level.
        out_channels: channels of an interferometer below it.
        kernel_size: taps of both convolutions, odd.
        stride: of both convolutions.
        outermost: whether the decoder's output is the strain, which is
            neither normalised nor rectified.
    """

    def __init__(
        self,
        num_ifos: int,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        outermost: bool,
    ) -> None:
        super().__init__(
            num_ifos * in_channels,
            out_channels,
            kernel_size,
            stride,
            groups=num_ifos,
            norm=partial(GroupNorm, num_groups=num_ifos),
            output_activation=nn.Identity if outermost else None,
        )
        if outermost:
            self.decode_norm = nn.Identity()

    def decode(self, X: Tensor, size: int) -> Tensor:
        """Back to the input of ``encode``.

        Args:
            X: of shape ``(batch, ifo * out_channels, encoded time)``.
            size: samples of the input of ``encode``.

        Returns:
            Series of shape ``(batch, ifo * in_channels, size)``.
        """
        X = self.decode_layer(X, output_size=[size])
        return self.output_activation(self.decode_norm(X))


class ConvolutionalAutoencoder(nn.Module):
    """Convolutional autoencoder with one group per interferometer.

    No interferometer sees another: output i is made of input i alone, so
    that what it has in common with input j is a coherent signal. Strided
    convolutions and their transposes (arXiv:1603.07285) with group
    normalisation and ReLU; each level's decoder returns the length that its
    encoder was given, whatever it is.

    Args:
        num_ifos: number of interferometers, channels of input and output.
        encode_channels: channels of an interferometer at each level.
        kernel_size: taps of all convolutions, odd.
        stride: of all convolutions, at most ``kernel_size``.

    Raises:
        UserError: if an argument has no meaning.
    """

    def __init__(
        self,
        num_ifos: int,
        encode_channels: Sequence[int] = (8, 16, 32),
        kernel_size: int = 7,
        stride: int = 2,
    ) -> None:
        arguments.positive(num_ifos=num_ifos, stride=stride)
        arguments.counts(encode_channels=encode_channels)
        arguments.odd(kernel_size=kernel_size)
        arguments.at_least(stride, kernel_size=kernel_size)
        super().__init__()
        above = [1, *encode_channels[:-1]]
        self.levels = nn.ModuleList(
            Level(num_ifos, a, b, kernel_size, stride, outermost=i == 0)
            for i, (a, b) in enumerate(
                zip(above, encode_channels, strict=True)
            )
        )

    def forward(self, X: Tensor) -> Tensor:
        """Reconstruct each interferometer from itself.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.

        Returns:
            Reconstruction of the same shape; output i depends on input i
            alone.
        """
        sizes = []
        for level in self.levels:
            sizes.append(X.size(-1))
            X = level.encode(X)
        for level, size in zip(
            reversed(self.levels), reversed(sizes), strict=True
        ):
            X = level.decode(X, size)
        return X
