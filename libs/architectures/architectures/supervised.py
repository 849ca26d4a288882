"""Networks that map whitened strain to one detection statistic."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from ml4gw.nn.norm import GroupNorm1D
from ml4gw.nn.resnet import ResNet1D
from torch import Tensor, nn


class SupervisedTimeDomainResNet(ResNet1D):
    """ResNet on the whitened time series (arXiv:2403.18661, section III).

    Args:
        num_ifos: number of interferometers, the input's channels.
        layers: residual blocks in each stage; ``[3, 4, 6, 3]`` is the
            34-layer network of the paper.
        kernel_size: taps of the residual convolutions, odd.
        norm_groups: groups of the group normalisation.
        zero_init_residual: start each residual branch at zero.
        stride_type: for each stage after the first, whether it downsamples
            by ``stride`` or dilates; strides by default.
    """

    def __init__(
        self,
        num_ifos: int,
        layers: Sequence[int] = (3, 4, 6, 3),
        kernel_size: int = 3,
        norm_groups: int = 16,
        zero_init_residual: bool = False,
        stride_type: list[Literal["stride", "dilation"]] | None = None,
    ) -> None:
        super().__init__(
            num_ifos,
            list(layers),
            classes=1,
            kernel_size=kernel_size,
            zero_init_residual=zero_init_residual,
            stride_type=stride_type,
            norm_layer=partial(GroupNorm1D, num_groups=norm_groups),
        )

    def forward(self, X: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.

        Returns:
            Logits of shape ``(batch,)``.
        """
        return super().forward(X).flatten()


class NarrowBlock(nn.Module):
    """Two convolutions with group normalisation and a shortcut.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: taps of both convolutions, odd.
        stride: of the first convolution and the shortcut.
        norm_groups: groups of the normalisations.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        norm_groups: int,
    ) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.branch = nn.Sequential(
            nn.Conv1d(
                in_channels,
                out_channels,
                kernel_size,
                stride,
                padding,
                bias=False,
            ),
            nn.GroupNorm(norm_groups, out_channels),
            nn.ReLU(inplace=True),
            nn.Conv1d(
                out_channels, out_channels, kernel_size, 1, padding, bias=False
            ),
            nn.GroupNorm(norm_groups, out_channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Conv1d(
                in_channels, out_channels, 1, stride, bias=False
            )

    def forward(self, X: Tensor) -> Tensor:
        """Map ``(batch, in_channels, time)`` to ``(batch, out_channels, t)``.

        ``t`` is ``time / stride``, rounded up.
        """
        return torch.relu(self.branch(X) + self.shortcut(X))


class SupervisedTimeDomainNarrowResNet(nn.Module):
    """Small ResNet with wide filters, trainable on a few CPU cores.

    A strided stem, residual blocks whose first convolution halves the time
    axis in all but the first, and a linear layer on the mean and the
    maximum over time: the maximum keeps a short signal visible that the
    mean would dilute. About 131 000 parameters as it stands.

    Args:
        num_ifos: number of interferometers, the input's channels.
        channels: of each residual block.
        kernel_size: taps of the residual convolutions, odd.
        stem_size: taps of the stem, odd.
        stem_stride: of the stem.
        norm_groups: groups of the group normalisation.

    Raises:
        ValueError: if a number of taps is even or channels do not divide
            into groups.
    """

    def __init__(
        self,
        num_ifos: int,
        channels: Sequence[int] = (24, 32, 48, 64),
        kernel_size: int = 9,
        stem_size: int = 15,
        stem_stride: int = 4,
        norm_groups: int = 8,
    ) -> None:
        super().__init__()
        for name, size in (("kernel", kernel_size), ("stem", stem_size)):
            if size % 2 == 0:
                raise ValueError(f"{name}_size: {size} must be odd")
        self.stem = nn.Sequential(
            nn.Conv1d(
                num_ifos,
                channels[0],
                stem_size,
                stem_stride,
                stem_size // 2,
                bias=False,
            ),
            nn.GroupNorm(norm_groups, channels[0]),
            nn.ReLU(inplace=True),
        )
        blocks = []
        previous = channels[0]
        for i, width in enumerate(channels):
            stride = 1 if i == 0 else 2
            blocks.append(
                NarrowBlock(previous, width, kernel_size, stride, norm_groups)
            )
            previous = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(2 * previous, 1)

    def forward(self, X: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.

        Returns:
            Logits of shape ``(batch,)``.
        """
        X = self.blocks(self.stem(X))
        pooled = torch.cat([X.mean(-1), X.amax(-1)], dim=-1)
        return self.head(pooled).flatten()
