"""Time-slides: which rows belong to the same shift of the detectors."""

from typing import Self

import numpy as np
from conventions.errors import UserError

# Shifts are equal when they agree to the microsecond.
_RESOLUTION = 1e-6


class Shifted:
    """What ledgers with a column ``shift`` can do.

    Attributes:
        shift: seconds by which each ifo is read later, shape (row, ifo).
    """

    shift: np.ndarray

    def get_shift(self, shift: np.ndarray | float) -> Self:
        """Choose the rows of one shift.

        Args:
            shift: seconds per ifo, shape (ifo,).

        Returns:
            The rows with this shift, in their order.

        Raises:
            UserError: if the number of ifos differs from the table's.
        """
        return self[matches(self.shift, shift)]


def _keys(shift: np.ndarray) -> np.ndarray:
    """Give shifts as whole microseconds, shape (row, ifo)."""
    shift = np.asarray(shift, dtype=float)
    keys = np.rint(shift / _RESOLUTION).astype(np.int64)
    return keys.reshape(len(keys), keys[0].size) if len(keys) else keys


def by_ifo(shift: np.ndarray) -> np.ndarray:
    """Give shifts a column per ifo.

    Args:
        shift: seconds, shape (row, ifo), or (row,) for one ifo.

    Returns:
        A view of shape (row, ifo).
    """
    return shift[:, None] if shift.ndim == 1 else shift


def matches(shift: np.ndarray, wanted: np.ndarray | float) -> np.ndarray:
    """Find the rows whose shift is among the wanted ones.

    Args:
        shift: seconds, shape (row, ifo), or (row,) for one ifo.
        wanted: seconds, one shift of shape (ifo,) or several of shape
            (shift, ifo).

    Returns:
        A mask of shape (row,).

    Raises:
        UserError: if the numbers of ifos differ.
    """
    wanted = np.atleast_1d(np.asarray(wanted, dtype=float))
    if wanted.ndim == 1:
        wanted = wanted[None]
    return codes(wanted, shift)[1] >= 0


def codes(
    reference: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Number the shifts of one table and find them in another.

    Sorted search column by column, so that millions of rows are no effort.

    Args:
        reference: seconds, shape (row, ifo), or (row,) for one ifo.
        other: seconds, shape (other row, ifo), or (other row,).

    Returns:
        The number of each row's shift, from 0 on without gaps, and the
        same for ``other``, -1 where its shift is not in ``reference``.

    Raises:
        UserError: if the numbers of ifos differ.
    """
    ours, theirs = _keys(reference), _keys(other)
    our_code = np.zeros(len(ours), dtype=np.int64)
    their_code = np.zeros(len(theirs), dtype=np.int64)
    if not len(ours):
        return our_code, their_code - 1
    if not len(theirs):
        theirs = theirs.reshape(0, ours.shape[1])
    if ours.shape[1] != theirs.shape[1]:
        raise UserError(
            f"shifts for {ours.shape[1]} and for {theirs.shape[1]} "
            "interferometers cannot be compared"
        )
    known = np.ones(len(theirs), dtype=bool)
    count = 1
    for column in range(ours.shape[1]):
        values, position = np.unique(ours[:, column], return_inverse=True)
        found, their_position = _lookup(values, theirs[:, column])
        known &= found
        if count == 1:
            our_code, their_code = position, their_position
            count = len(values)
        elif len(values) > 1:
            # Numbers stay below that of rows, so the product is safe.
            pairs, our_code = np.unique(
                our_code * len(values) + position, return_inverse=True
            )
            found, their_code = _lookup(
                pairs, their_code * len(values) + their_position
            )
            known &= found
            count = len(pairs)
    return our_code, np.where(known, their_code, -1)


def _lookup(
    values: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find wanted values among sorted ones: whether, and where."""
    if len(values) == 1:
        return wanted == values, np.zeros(len(wanted), dtype=np.int64)
    position = np.searchsorted(values, wanted)
    position = np.minimum(position, len(values) - 1)
    return values[position] == wanted, position
