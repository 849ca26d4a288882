"""Order of many numbers, in little memory."""

import numpy as np

_BLOCK = 2**20

# Values that are sorted together where no sorted copy of all is kept: few
# pieces, as each searches for all thresholds, but small beside a table.
PIECE = 2**24


def rises(values: np.ndarray) -> bool:
    """Say whether values never decrease; looked at block by block.

    Args:
        values: shape (row,), without NaN.
    """
    for start in range(0, len(values) - 1, _BLOCK):
        block = values[start : start + _BLOCK + 1]
        if not np.all(block[:-1] <= block[1:]):
            return False
    return True


def round_up(threshold: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Give thresholds the dtype of what is compared with them.

    A search among values of another dtype would convert all of these each
    time. ``values >= round_up(threshold, values.dtype)`` holds exactly
    where ``values >= threshold`` does.

    Args:
        threshold: any shape, without NaN.
        dtype: a floating-point one; with others nothing is changed.

    Returns:
        The smallest numbers of that dtype not below the thresholds.
    """
    if dtype.kind != "f":
        return threshold
    with np.errstate(over="ignore"):
        rounded = threshold.astype(dtype)
        higher = np.nextafter(rounded, dtype.type(np.inf))
    return np.where(rounded < threshold, higher, rounded)


def count_below(values: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Count the values below each threshold, sorting them in pieces.

    Args:
        values: shape (row,), in any order, without NaN.
        threshold: any shape, of the dtype of ``values``; ascending ones
            are found faster.

    Returns:
        The counts, of the shape of ``threshold``.
    """
    count = np.zeros(np.shape(threshold), dtype=np.int64)
    memory = np.empty(min(PIECE, len(values)), values.dtype)
    for start in range(0, len(values), PIECE):
        block = values[start : start + PIECE]
        piece = memory[: len(block)]
        piece[:] = block
        piece.sort()
        count += np.searchsorted(piece, threshold, side="left")
    return count
