"""A ResNet for a few CPU cores."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from architectures import arguments
from architectures.supervised.blocks import ResidualBlock


class SupervisedTimeDomainNarrowResNet(nn.Module):
    """Small ResNet with wide filters, trainable on a few CPU cores.

    A strided stem, residual blocks (arXiv:1512.03385) whose first
    convolution halves the time axis in all but the first, and a linear
    layer on the mean and the maximum over time: the maximum keeps a short
    signal visible that the mean would dilute.

    Args:
        num_ifos: number of interferometers, the input's channels.
        channels: of each residual block.
        kernel_size: taps of the residual convolutions, odd.
        stem_size: taps of the stem, odd.
        stem_stride: of the stem.
        norm_groups: groups of the group normalisation.

    Raises:
        UserError: if an argument has no meaning.
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
        arguments.positive(num_ifos=num_ifos, stem_stride=stem_stride)
        arguments.counts(channels=channels)
        arguments.odd(kernel_size=kernel_size, stem_size=stem_size)
        arguments.groups(norm_groups, channels)
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(
                num_ifos,
                channels[0],
                stem_size,
                stem_stride,
                stem_size // 2,
                bias=False,
            ),
            nn.GroupNorm(min(norm_groups, channels[0]), channels[0]),
            nn.ReLU(inplace=True),
        )
        blocks = []
        previous = channels[0]
        for i, width in enumerate(channels):
            stride = 1 if i == 0 else 2
            blocks.append(
                ResidualBlock(
                    previous, width, kernel_size, stride, norm_groups
                )
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
