"""Data modules: from files to batches of kernels and labels."""

from train.data.supervised import SupervisedAframeDataset

__all__ = ["SupervisedAframeDataset"]
