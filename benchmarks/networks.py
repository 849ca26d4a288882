"""The networks that are measured."""

from collections.abc import Callable
from dataclasses import dataclass

from architectures.supervised import (
    SupervisedTimeDomainNarrowResNet,
    SupervisedTimeDomainResNet,
)
from torch import nn

IFOS = ("H1", "L1")
KERNEL_LENGTH = 1.5


@dataclass(frozen=True)
class Case:
    """A network and the rate of the strain that it takes, in Hz."""

    network: Callable[[], nn.Module]
    sample_rate: float

    @property
    def kernel_size(self) -> int:
        """Samples of a kernel."""
        return round(KERNEL_LENGTH * self.sample_rate)


CASES = {
    "demo": Case(lambda: SupervisedTimeDomainNarrowResNet(len(IFOS)), 1024.0),
    "published": Case(
        lambda: SupervisedTimeDomainResNet(len(IFOS), [3, 4, 6, 3]), 2048.0
    ),
}
