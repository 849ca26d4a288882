"""Decides how a stretch of strain is analysed."""

import math
from dataclasses import dataclass

from preprocessing.manifest import Manifest

BURN_IN_SHARE = 1 / 3
MIN_PSD_IN_FFTLENGTHS = 2
ROUNDING = 1e-9


@dataclass(frozen=True)
class Plan:
    """How one stretch is analysed.

    Attributes:
        psd_length: seconds of data that a PSD is estimated from.
        batch_size: network outputs that share a PSD.
        burn_in: outputs at the start of the stretch that are dropped,
            because not all of what they were made from was data.
        outputs: of the stretch, burn-in included.
    """

    psd_length: float
    batch_size: int
    burn_in: int
    outputs: int


def make(duration: float, manifest: Manifest) -> Plan | None:
    """Choose PSD length and batch size for one stretch.

    The run's own settings are kept when what they lose at the start is at
    most a third of the stretch. Otherwise every output gets a PSD of its
    own (a batch of one), and the PSD is shortened to the longest whole
    number of strides that loses at most a third, but not below twice
    ``fftlength``, which is three averages of Welch's method.

    Nothing that was made from the zeros before the stretch is kept: the
    burn-in covers PSD, whitening filter and kernel (dropping the PSD's
    length alone, as streaming does, is enough when the PSD is long).

    Args:
        duration: of the stretch, in seconds.
        manifest: of the model repository.

    Returns:
        The plan, None when the stretch is too short for a single output.
    """
    rate = manifest.inference_sampling_rate
    reach = _reach(manifest)
    outputs = math.floor(duration * rate + ROUNDING)
    allowed = duration * rate * BURN_IN_SHARE

    burn_in = _burn_in(manifest.psd_length + reach, rate, manifest.batch_size)
    if burn_in <= allowed:
        return Plan(manifest.psd_length, manifest.batch_size, burn_in, outputs)
    longest = math.floor(allowed - reach * rate + ROUNDING) / rate
    psd_length = min(manifest.psd_length, max(shortest_psd(manifest), longest))
    burn_in = _burn_in(psd_length + reach, rate, 1)
    if burn_in >= outputs:
        return None
    return Plan(psd_length, 1, burn_in, outputs)


def shortest_psd(manifest: Manifest) -> float:
    """Seconds that a PSD is estimated from at least."""
    rate = manifest.inference_sampling_rate
    minimum = MIN_PSD_IN_FFTLENGTHS * manifest.preprocessing.fftlength
    return min(
        manifest.psd_length, math.ceil(minimum * rate - ROUNDING) / rate
    )


def shortest_stretch(manifest: Manifest) -> float:
    """Seconds of strain without a gap that give at least one output."""
    rate = manifest.inference_sampling_rate
    burn_in = _burn_in(shortest_psd(manifest) + _reach(manifest), rate, 1)
    return (burn_in + 1) / rate


def _reach(manifest: Manifest) -> float:
    config = manifest.preprocessing
    return config.kernel_length + config.fduration


def _burn_in(length: float, rate: float, batch_size: int) -> int:
    """First output of the first batch whose first output saw only data.

    Output n is made from the ``length`` seconds before (n + 1) / rate.
    """
    return math.ceil((length * rate - 1 - ROUNDING) / batch_size) * batch_size
