"""How a ledger lies in an HDF5 file.

Root attribute ``length``, scalar metadata as root attributes, one dataset
per column in the groups ``parameters`` and ``waveforms``.
"""

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
    if length != int(length) or length < 0:
        raise UserError(
            f"{file.filename}: root attribute 'length' is {length}, not a "
            "number of rows"
        )
    return int(length)


def find_dataset(
    file: h5py.File, kind: str, name: str, length: int
) -> h5py.Dataset:
    """Find the dataset of one column.

    Args:
        file: an open file.
        kind: ``"parameter"`` or ``"waveform"``.
        name: name of the column.
        length: number of rows that it must have.

    Returns:
        The dataset, unread.

    Raises:
        UserError: if it is missing or has another number of rows.
    """
    path = f"{GROUPS[kind]}/{name}"
    try:
        # Aggregation opens very many: this is half the price of file[path].
        dataset = h5py.Dataset(h5py.h5d.open(file.id, path.encode()))
    except (KeyError, ValueError):
        group = file.get(GROUPS[kind])
        present = sorted(group) if isinstance(group, h5py.Group) else []
        raise UserError(
            f"{file.filename}: dataset '{path}' is missing; "
            f"'{GROUPS[kind]}' has {', '.join(present) or 'nothing'}"
        ) from None
    shape = dataset.shape
    if not shape or shape[0] != length:
        raise UserError(
            f"{file.filename}: dataset '{path}' has shape {shape}, "
            f"but the ledger has {length} rows"
        )
    return dataset


def read_rows(
    dataset: h5py.Dataset, rows: np.ndarray | slice | None = None
) -> np.ndarray:
    """Read rows of a dataset, in few contiguous pieces.

    Args:
        dataset: the dataset.
        rows: strictly increasing row numbers, a slice, or all rows.

    Returns:
        The rows, with the dataset's dtype and trailing shape.

    Raises:
        UserError: if the file's data cannot be read.
    """
    try:
        if rows is None or isinstance(rows, slice):
            return dataset[slice(None) if rows is None else rows]
        return _read_scattered(dataset, rows)
    except OSError as error:
        raise UserError(
            f"{dataset.file.filename}: dataset '{dataset.name}' cannot be "
            f"read ({error})"
        ) from error


def _read_scattered(dataset: h5py.Dataset, rows: np.ndarray) -> np.ndarray:
    values = np.empty((len(rows), *dataset.shape[1:]), dataset.dtype)
    row_bytes = dataset.dtype.itemsize * int(np.prod(dataset.shape[1:]))
    gap = 1 + _GAP_BYTES // max(row_bytes, 1)
    breaks = np.flatnonzero(np.diff(rows) > gap) + 1
    edges = np.concatenate([[0], breaks, [len(rows)]])
    for begin, end in pairwise(edges):
        if begin < end:
            first, last = rows[begin], rows[end - 1]
            piece = dataset[first : last + 1]
            values[begin:end] = piece[rows[begin:end] - first]
    return values


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
