"""Lightning modules: loss, validation and optimisation of networks."""

from train.model.autoencoder import AutoencoderAframe
from train.model.base import AframeModule
from train.model.supervised import (
    SupervisedAframe,
    SupervisedAframeS4,
    SupervisedMultiModalAframe,
    SupervisedTimeSpectrogramAframe,
)

__all__ = [
    "AframeModule",
    "AutoencoderAframe",
    "SupervisedAframe",
    "SupervisedAframeS4",
    "SupervisedMultiModalAframe",
    "SupervisedTimeSpectrogramAframe",
]
