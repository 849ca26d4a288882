"""How a ledger lies in an HDF5 file.

Root attribute ``length``, scalar metadata as root attributes, one dataset
per column in the groups ``parameters`` and ``waveforms``.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import h5py
import numpy as np
from conventions.errors import UserError

PATH = str | os.PathLike[str]

GROUPS = {"parameter": "parameters", "waveform": "waveforms"}

# Kinds of numpy's dtypes that a column can have.
_NUMBERS = "biufc"
_DOUBLE = np.dtype(float)

# Reading this many unwanted bytes is cheaper than another read.
_GAP_BYTES = 2**16


@contextmanager
def opened(fname: PATH) -> Iterator[h5py.File]:
    """Open a file for reading.

    Args:
        fname: the file.

    Yields:
        The open file.

    Raises:
        UserError: if there is no such file, or it is truncated or no HDF5.
    """
    try:
        file = h5py.File(fname, "r")
    except FileNotFoundError:
        raise UserError(f"{fname}: no such file") from None
    except OSError as error:
        raise UserError(
            f"{fname}: truncated, or not an HDF5 file ({error})"
        ) from error
    with file:
        yield file


def plain(value: Any) -> Any:
    """Turn a metadata value into plain Python: numbers, str, list.

    Args:
        value: what HDF5 or numpy gave.

    Returns:
        The same value without numpy types; bytes are decoded.
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        return value.decode()
    return value


def read_length(file: h5py.File) -> int:
    """Give the number of rows of the ledger in an open file.

    Args:
        file: an open file.

    Returns:
        The root attribute ``length``.

    Raises:
        UserError: if it is missing or not a count.
    """
    length = plain(file.attrs.get("length"))
    if length is None:
        raise UserError(
            f"{file.filename}: not a ledger, root attribute 'length' is "
            "missing"
        )
    if (
        not isinstance(length, int | float)
        or length != length // 1
        or length < 0
    ):
        raise UserError(
            f"{file.filename}: root attribute 'length' is {length}, not a "
            "number of rows"
        )
    return int(length)


class Column:
    """The dataset of one column in an open file, unread.

    Shape and dtype are asked for once, and whole columns are read by h5py's
    low-level interface: for ten thousand small files that is most of the
    work.

    Args:
        file: the open file.
        path: of the dataset in the file.

    Attributes:
        shape: rows first.
        dtype: of its numbers.

    Raises:
        KeyError: at construction, if there is no such dataset.
        UserError: at construction, if it does not hold rows of numbers.
    """

    def __init__(self, file: h5py.File, path: str) -> None:
        self._file, self._path = file, path
        self._id = h5py.h5d.open(file.id, path.encode())
        self.shape: tuple[int, ...] = self._id.shape
        # Nearly all are doubles; to translate the type takes a third of
        # the time of opening and reading a short column.
        stored = self._id.get_type()
        self._double = stored == h5py.h5t.NATIVE_DOUBLE
        self.dtype: np.dtype = _DOUBLE if self._double else stored.dtype
        if not self.shape or self.dtype.kind not in _NUMBERS:
            raise self.fault(
                f"has shape {self.shape} and dtype {self.dtype}, not rows "
                "of numbers"
            )

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def fault(self, message: str) -> UserError:
        """Give an error that names the file and the dataset.

        Args:
            message: what is wrong with it.
        """
        return UserError(
            f"{self._file.filename}: dataset '{self._path}' {message}"
        )

    def read(self, rows: np.ndarray | slice | None = None) -> np.ndarray:
        """Read rows, in few contiguous pieces.

        Args:
            rows: strictly increasing row numbers, a slice, or all rows.

        Returns:
            The rows, with the dataset's dtype and trailing shape.

        Raises:
            UserError: if the file's data cannot be read.
        """
        try:
            if rows is None:
                return self._read_all()
            dataset = h5py.Dataset(self._id)
            if isinstance(rows, slice):
                return dataset[rows]
            return self._read_scattered(dataset, rows)
        except OSError as error:
            raise self.fault(f"cannot be read ({error})") from error

    def _read_all(self) -> np.ndarray:
        values = np.empty(self.shape, self.dtype)
        if values.size:
            memory_type = h5py.h5t.NATIVE_DOUBLE if self._double else None
            self._id.read(h5py.h5s.ALL, h5py.h5s.ALL, values, memory_type)
        return values

    def _read_scattered(
        self, dataset: h5py.Dataset, rows: np.ndarray
    ) -> np.ndarray:
        values = np.empty((len(rows), *self.shape[1:]), self.dtype)
        row_bytes = self.dtype.itemsize * math.prod(self.shape[1:])
        gap = 1 + _GAP_BYTES // max(row_bytes, 1)
        breaks = np.flatnonzero(np.diff(rows) > gap) + 1
        edges = np.concatenate([[0], breaks, [len(rows)]])
        for begin, end in pairwise(edges):
            if begin < end:
                first, last = rows[begin], rows[end - 1]
                piece = dataset[first : last + 1]
                values[begin:end] = piece[rows[begin:end] - first]
        return values


def find_column(file: h5py.File, kind: str, name: str, length: int) -> Column:
    """Find the dataset of one column.

    Args:
        file: an open file.
        kind: ``"parameter"`` or ``"waveform"``.
        name: name of the column.
        length: number of rows that it must have.

    Returns:
        The column, unread.

    Raises:
        UserError: if it is missing, has another number of rows or does not
            hold numbers.
    """
    path = f"{GROUPS[kind]}/{name}"
    try:
        column = Column(file, path)
    except KeyError:
        group = file.get(GROUPS[kind])
        present = sorted(group) if isinstance(group, h5py.Group) else []
        raise UserError(
            f"{file.filename}: dataset '{path}' is missing; "
            f"'{GROUPS[kind]}' has {', '.join(present) or 'nothing'}"
        ) from None
    if column.shape[0] != length:
        raise column.fault(
            f"has shape {column.shape}, but the ledger has {length} rows"
        )
    return column


def write_attributes(
    file: h5py.File, length: int, metadata: dict[str, Any]
) -> None:
    """Write the number of rows and the metadata; None is left out.

    Args:
        file: a file open for writing.
        length: number of rows.
        metadata: name to value.
    """
    file.attrs["length"] = length
    for name, value in metadata.items():
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            value = np.array(value, dtype=h5py.string_dtype())
        if value is not None:
            file.attrs[name] = value


def create_dataset(
    file: h5py.File,
    kind: str,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
    chunks: tuple[int, ...] | None,
) -> h5py.Dataset:
    """Make the dataset of one column.

    Args:
        file: a file open for writing.
        kind: ``"parameter"`` or ``"waveform"``.
        name: name of the column.
        shape: its shape, rows first.
        dtype: its dtype.
        chunks: chunk shape of waveforms, cut to the dataset's shape;
            parameters and empty datasets are contiguous.

    Returns:
        The new dataset.

    Raises:
        UserError: if ``chunks`` has another number of dimensions.
    """
    if kind != "waveform" or 0 in shape:
        chunks = None
    elif chunks is not None:
        if len(chunks) != len(shape):
            raise UserError(
                f"chunks {chunks} do not fit waveforms of shape {shape}"
            )
        chunks = tuple(map(min, chunks, shape))
    return file.create_dataset(
        f"{GROUPS[kind]}/{name}", shape=shape, dtype=dtype, chunks=chunks
    )
