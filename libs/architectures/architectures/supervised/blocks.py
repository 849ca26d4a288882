"""Blocks that several networks are built of."""

import torch
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two convolutions with group normalisation and a shortcut.

    After arXiv:1512.03385, with group in place of batch normalisation
    (arXiv:1803.08494).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: taps of both convolutions, odd.
        stride: of the first convolution and the shortcut.
        norm_groups: groups of the normalisations, at most one per channel.
        dilation: samples between the taps of the convolutions, except of
            a strided one, which would skip samples for good.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        norm_groups: int,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        groups = min(norm_groups, out_channels)
        half = kernel_size // 2
        first = dilation if stride == 1 else 1
        self.branch = nn.Sequential(
            nn.Conv1d(
                in_channels,
                out_channels,
                kernel_size,
                stride,
                first * half,
                first,
                bias=False,
            ),
            nn.GroupNorm(groups, out_channels),
            nn.ReLU(inplace=True),
            nn.Conv1d(
                out_channels,
                out_channels,
                kernel_size,
                1,
                dilation * half,
                dilation,
                bias=False,
            ),
            nn.GroupNorm(groups, out_channels),
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
