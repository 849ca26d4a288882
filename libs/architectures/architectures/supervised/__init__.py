"""Networks that map whitened strain to one detection statistic."""

from architectures.supervised.filter_bank import (
    SupervisedTimeDomainFilterBank,
)
from architectures.supervised.fused import (
    SupervisedMultiModalResNet,
    SupervisedTimeSpectrogramResNet,
)
from architectures.supervised.narrow import SupervisedTimeDomainNarrowResNet
from architectures.supervised.resnet import (
    SupervisedFrequencyDomainResNet,
    SupervisedSpectrogramDomainResNet,
    SupervisedTimeDomainResNet,
)
from architectures.supervised.s4 import SupervisedS4Model
from architectures.supervised.wavenet import SupervisedTimeDomainWaveNet
from architectures.supervised.xylophone import SupervisedTimeDomainXylophone

__all__ = [
    "SupervisedFrequencyDomainResNet",
    "SupervisedMultiModalResNet",
    "SupervisedS4Model",
    "SupervisedSpectrogramDomainResNet",
    "SupervisedTimeDomainFilterBank",
    "SupervisedTimeDomainNarrowResNet",
    "SupervisedTimeDomainResNet",
    "SupervisedTimeDomainWaveNet",
    "SupervisedTimeDomainXylophone",
    "SupervisedTimeSpectrogramResNet",
]
