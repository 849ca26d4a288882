"""Normalisations of the networks."""

from ml4gw.nn.norm import GroupNorm1D
from torch import Tensor
from torch.nn import functional


class GroupNorm(GroupNorm1D):
    """ml4gw's group normalisation of series, computed by torch.

    The same function of the same parameters (arXiv:1803.08494) in one
    operation instead of a dozen, which ``benchmarks/network.py`` measures;
    and the variance is not a difference of large numbers.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise.

        Args:
            x: of shape ``(batch, channel, length)``.

        Returns:
            Of the same shape.
        """
        return functional.group_norm(
            x,
            self.num_groups,
            self.weight.flatten(),
            self.bias.flatten(),
            self.eps,
        )
