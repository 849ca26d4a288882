"""Settings and files that do not fit together."""

from conventions.errors import UserError
from preprocessing.config import Preprocessing

from train.data.transforms import Placement


def check_fractions(**fractions: float) -> None:
    """Refuse what is no part of a whole.

    Args:
        fractions: numbers by the name of their setting.

    Raises:
        UserError: if one is not in [0, 1].
    """
    for name, value in fractions.items():
        if not 0 <= value <= 1:
            raise UserError(f"{name}: {value} must lie between 0 and 1")


def check_counts(**counts: float) -> None:
    """Refuse amounts of nothing.

    Args:
        counts: numbers by the name of their setting.

    Raises:
        UserError: if one is not positive.
    """
    for name, value in counts.items():
        if value <= 0:
            raise UserError(f"{name}: {value} must be positive")


def make_placement(
    config: Preprocessing, left_pad: float, right_pad: float
) -> Placement:
    """Where coalescences may lie, if there is room for them.

    Args:
        config: the settings of the network.
        left_pad: distance from the kernel's left edge at least, in seconds.
        right_pad: distance from its right edge at least, in seconds.

    Raises:
        UserError: if one is negative, or both do not fit into the kernel.
    """
    if min(left_pad, right_pad) < 0:
        raise UserError(
            f"left_pad {left_pad} s and right_pad {right_pad} s must not be "
            "negative"
        )
    if left_pad + right_pad > config.kernel_length:
        raise UserError(
            f"kernel_length: {config.kernel_length} s is too short for "
            f"left_pad {left_pad} s and right_pad {right_pad} s"
        )
    return Placement(config, left_pad, right_pad)


def check_length(size: int, which: str, kernel_size: int) -> None:
    """Refuse waveforms that do not fill a kernel.

    Args:
        size: samples of the waveforms.
        which: where they come from, for the error.
        kernel_size: samples of a kernel.

    Raises:
        UserError: if they are shorter than a kernel.
    """
    if size < kernel_size:
        raise UserError(
            f"kernel_length: waveforms {which} have {size} samples, shorter "
            f"than the {kernel_size} of a kernel"
        )
