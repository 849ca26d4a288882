"""Data modules: from files to batches of inputs and labels."""

from train.data.autoencoder import AutoencoderDataset
from train.data.base import AframeDataset
from train.data.supervised import (
    SupervisedAframeDataset,
    SupervisedFrequencyDomainDataset,
    SupervisedHeterodynedDataset,
    SupervisedMultiModalDataset,
    SupervisedTimeSpectrogramDataset,
)

__all__ = [
    "AframeDataset",
    "AutoencoderDataset",
    "SupervisedAframeDataset",
    "SupervisedFrequencyDomainDataset",
    "SupervisedHeterodynedDataset",
    "SupervisedMultiModalDataset",
    "SupervisedTimeSpectrogramDataset",
]
