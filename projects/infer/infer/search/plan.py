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
        settling: outputs that are dropped after the engine's burn-in of
            ``psd_length`` seconds, because their PSD is not yet estimated
            from data alone.
    """

    psd_length: float
    batch_size: int
    settling: int


def make(duration: float, manifest: Manifest, window: int) -> Plan | None:
    """Choose PSD length and batch size for one stretch.

    The run's own settings are kept when what they lose at the start is at
    most a third of the stretch. Otherwise every output gets a PSD of its
    own (a batch of one), and the PSD is shortened to the longest whole
    number of strides that loses at most a third, but not below twice
    ``fftlength``, which is three averages of Welch's method.

    Args:
        duration: of the stretch, in seconds.
        manifest: of the model repository.
        window: outputs that integration needs.

    Returns:
        The plan, None when the stretch is too short.
    """
    rate = manifest.inference_sampling_rate
    allowed = duration * rate * BURN_IN_SHARE
    own = Plan(
        manifest.psd_length,
        manifest.batch_size,
        _settling(manifest, manifest.batch_size),
    )
    if own.psd_length * rate + own.settling <= allowed:
        return own
    settling = _settling(manifest, 1)
    longest = math.floor(allowed - settling + ROUNDING) / rate
    psd_length = min(manifest.psd_length, max(shortest_psd(manifest), longest))
    needed = psd_length * rate + settling + window
    if duration * rate + ROUNDING < needed:
        return None
    return Plan(psd_length, 1, settling)


def shortest_psd(manifest: Manifest) -> float:
    """Seconds that a PSD is estimated from at least."""
    rate = manifest.inference_sampling_rate
    minimum = MIN_PSD_IN_FFTLENGTHS * manifest.preprocessing.fftlength
    return min(
        manifest.psd_length, math.ceil(minimum * rate - ROUNDING) / rate
    )


def shortest_stretch(manifest: Manifest, window: int) -> float:
    """Seconds of strain without a gap that give one integrated output."""
    outputs = _settling(manifest, 1) + window
    return shortest_psd(manifest) + outputs / manifest.inference_sampling_rate


def _settling(manifest: Manifest, batch_size: int) -> int:
    """Outputs until a batch starts whose PSD is estimated from data alone.

    Output n after the burn-in is made from the data up to ``psd_length +
    (n + 1) / rate``, PSD, whitening filter and kernel one after the other.
    """
    config = manifest.preprocessing
    reach = config.kernel_length + config.fduration
    outputs = reach * manifest.inference_sampling_rate - 1 - ROUNDING
    return max(0, math.ceil(outputs / batch_size)) * batch_size
