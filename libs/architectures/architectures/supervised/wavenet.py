"""Gated dilated convolutions."""

import torch
from torch import Tensor, nn

from architectures import arguments


class GatedLayer(nn.Module):
    """Gated causal convolution with a residual and a skip output.

    Equation 2 and figure 4 of arXiv:1609.03499.

    Args:
        channels: of the input, the gate and both outputs.
        kernel_size: taps of the convolution.
        dilation: samples between its taps.
        last: whether nothing follows, so that there is no residual output.
    """

    def __init__(
        self, channels: int, kernel_size: int, dilation: int, last: bool
    ) -> None:
        super().__init__()
        self.reach = (kernel_size - 1) * dilation
        self.gate = nn.Conv1d(
            channels, 2 * channels, kernel_size, dilation=dilation
        )
        self.residual = None if last else nn.Conv1d(channels, channels, 1)
        self.skip = nn.Conv1d(channels, channels, 1)

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Residual and skip output of a series.

        Args:
            X: of shape ``(batch, channel, time)``.

        Returns:
            The next layer's input and this layer's part of the answer, both
            of the input's shape. Sample ``t`` depends on the input's
            samples up to ``t``; before the first they count as zero.
        """
        padded = nn.functional.pad(X, (self.reach, 0))
        value, gate = self.gate(padded).chunk(2, dim=1)
        gated = torch.tanh(value) * torch.sigmoid(gate)
        if self.residual is not None:
            X = X + self.residual(gated)
        return X, self.skip(gated)


class SupervisedTimeDomainWaveNet(nn.Module):
    """WaveNet on the whitened time series (arXiv:1609.03499).

    Blocks of gated causal convolutions whose dilation doubles from layer to
    layer; the layers' skip outputs are summed, mixed by two convolutions of
    one tap and averaged over time.

    Args:
        num_ifos: number of interferometers, the input's channels.
        res_channels: channels of every layer.
        layers_per_block: layers in a block, with dilations 1, 2, 4, ...
        num_blocks: number of blocks; each starts at dilation 1 again.
        kernel_size: taps of the dilated convolutions, at least 2.

    Raises:
        UserError: if an argument has no meaning.
    """

    def __init__(
        self,
        num_ifos: int,
        res_channels: int = 32,
        layers_per_block: int = 10,
        num_blocks: int = 2,
        kernel_size: int = 2,
    ) -> None:
        arguments.positive(
            num_ifos=num_ifos,
            res_channels=res_channels,
            layers_per_block=layers_per_block,
            num_blocks=num_blocks,
        )
        arguments.at_least(2, kernel_size=kernel_size)
        super().__init__()
        dilations = [2**i for i in range(layers_per_block)] * num_blocks
        #: Samples that an output before the average depends on.
        self.receptive_field = 1 + (kernel_size - 1) * sum(dilations)
        self.stem = nn.Conv1d(num_ifos, res_channels, 1)
        self.layers = nn.ModuleList(
            GatedLayer(
                res_channels, kernel_size, d, last=i == len(dilations) - 1
            )
            for i, d in enumerate(dilations)
        )
        self.mix = nn.Sequential(
            nn.ReLU(),
            nn.Conv1d(res_channels, res_channels, 1),
            nn.ReLU(),
            nn.Conv1d(res_channels, res_channels, 1),
        )
        self.head = nn.Linear(res_channels, 1)

    def features(self, X: Tensor) -> Tensor:
        """What is averaged over time.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.

        Returns:
            Features of shape ``(batch, channel, time)``; sample ``t``
            depends on the ``receptive_field`` samples up to ``t``.
        """
        X = self.stem(X)
        total = torch.zeros_like(X)
        for layer in self.layers:
            X, skip = layer(X)
            total = total + skip
        return self.mix(total)

    def forward(self, X: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.

        Returns:
            Logits of shape ``(batch,)``.
        """
        return self.head(self.features(X).mean(-1)).flatten()
