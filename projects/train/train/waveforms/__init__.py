"""Where the signals that a network is trained on come from."""

from train.waveforms.generator import CBCGenerator
from train.waveforms.loader import WaveformLoader
from train.waveforms.prior import Prior
from train.waveforms.sampler import WaveformSampler

__all__ = ["CBCGenerator", "Prior", "WaveformLoader", "WaveformSampler"]
