"""Residual towers that each listen to one part of a chirp."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from architectures import arguments
from architectures.supervised.blocks import ResidualBlock


class SupervisedTimeDomainXylophone(nn.Module):
    """Towers of residual blocks, one for each part of the kernel.

    A chirp is slow early in the kernel and fast near its end. The kernel is
    cut into half-overlapping parts. Each is seen by a tower of its own
    (residual blocks of arXiv:1512.03385) whose filters are half as dilated
    as those of the part before it: wide ones for the inspiral, fine ones
    for the merger. Each stage halves the time axis. A tower of dilation d
    has d times as many channels as the last one and can do with fewer
    stages. An idea of the public aframe; there is no paper on it.

    Args:
        num_ifos: number of interferometers, the input's channels.
        octaves: for each part of the kernel, the earliest first, the
            residual blocks in each stage of its tower.
        base_channels: of the stem and of the first stage of the last tower.
        kernel_size: taps of the residual convolutions, odd.
        norm_groups: groups of the group normalisation.

    Raises:
        UserError: if an argument has no meaning.
    """

    def __init__(
        self,
        num_ifos: int,
        octaves: Sequence[Sequence[int]] = (
            (2, 2),
            (2, 2, 2),
            (2, 2, 2, 2),
            (2, 4, 3, 2),
        ),
        base_channels: int = 8,
        kernel_size: int = 7,
        norm_groups: int = 8,
    ) -> None:
        arguments.positive(num_ifos=num_ifos, base_channels=base_channels)
        arguments.counts(octaves=[len(layers) for layers in octaves])
        for i, layers in enumerate(octaves):
            arguments.counts(**{f"octaves[{i}]": layers})
        arguments.odd(kernel_size=kernel_size)
        arguments.groups(norm_groups, [base_channels])
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(num_ifos, base_channels, 7, 2, 3, bias=False),
            nn.GroupNorm(min(norm_groups, base_channels), base_channels),
            nn.ReLU(inplace=True),
            nn.MaxPool1d(3, 2, 1),
        )
        self.towers = nn.ModuleList()
        features = 0
        for i, layers in enumerate(octaves):
            dilation = 2 ** (len(octaves) - 1 - i)
            blocks = []
            previous = base_channels
            for stage, depth in enumerate(layers):
                width = base_channels * dilation * 2**stage
                for j in range(depth):
                    stride = 2 if j == 0 else 1
                    blocks.append(
                        ResidualBlock(
                            previous,
                            width,
                            kernel_size,
                            stride,
                            norm_groups,
                            dilation,
                        )
                    )
                    previous = width
            self.towers.append(nn.Sequential(*blocks))
            features += previous
        self.head = nn.Linear(features, 1)

    def forward(self, X: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``, of more than
                four samples per octave.

        Returns:
            Logits of shape ``(batch,)``.
        """
        X = self.stem(X)
        last = len(self.towers) - 1
        step = X.size(-1) // (len(self.towers) + 1)
        features = []
        for i, tower in enumerate(self.towers):
            # what does not divide evenly belongs to the last part
            stop = None if i == last else (i + 2) * step
            features.append(tower(X[..., i * step : stop]).mean(-1))
        return self.head(torch.cat(features, dim=-1)).flatten()
