"""Joining the ledgers of many files into one file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
from conventions.errors import UserError
from conventions.files import complete

from ledger import storage

if TYPE_CHECKING:
    from ledger.ledger import Ledger

_BLOCK_BYTES = 2**25


@dataclass
class _Layout:
    """Row shape and dtype that the sources of one column agree on."""

    shape: tuple[int, ...] = ()
    dtype: np.dtype | None = None
    filled: bool = False

    def include(self, dataset: h5py.Dataset) -> None:
        """Take in one source; one without rows counts until others do."""
        shape, filled = dataset.shape[1:], dataset.shape[0] > 0
        if filled and self.filled:
            if shape != self.shape:
                raise UserError(
                    f"{dataset.file.filename}: rows of '{dataset.name}' "
                    f"have shape {shape}, those so far {self.shape}"
                )
            self.dtype = np.promote_types(self.dtype, dataset.dtype)
        elif filled:
            self.shape, self.dtype, self.filled = shape, dataset.dtype, True
        elif not self.filled:
            self.shape = max(shape, self.shape, key=len)
            self.dtype = self.dtype or dataset.dtype


def merge_files(
    cls: "type[Ledger]",
    sources: list[Path],
    target: Path,
    dtype: np.dtype | type | None = None,
    chunks: tuple[int, ...] | None = None,
    length: int | None = None,
) -> None:
    """Join files of one ledger class; see :meth:`Ledger.aggregate`.

    Args:
        cls: the class of the tables.
        sources: the files, in the order of their rows.
        target: the file to be written.
        dtype: dtype of all columns; by default each column's own.
        chunks: chunk shape (row, time) of the waveforms.
        length: the number of rows expected; checked when given.

    Raises:
        UserError: if sources are unreadable or do not fit together.
    """
    _check_names(sources, target)
    columns = cls.columns()
    filled = []
    layouts = {name: _Layout() for name in columns}
    merged = cls()._metadata()
    total = 0
    for source in sources:
        with storage.opened(source) as file:
            rows = storage.read_length(file)
            total += rows
            if rows:
                filled.append(source)
            merged = cls.merge_metadata(
                merged, cls._metadata_from_file(file), str(source)
            )
            for name, kind in columns.items():
                layouts[name].include(
                    storage.find_dataset(file, kind, name, rows)
                )
    if length is not None and total != length:
        raise UserError(
            f"the {len(sources)} files for {target} have {total} rows, "
            f"expected {length}"
        )
    with complete(target) as path, h5py.File(path, "w") as file:
        storage.write_attributes(file, total, merged)
        for name, kind in columns.items():
            layout = layouts[name]
            storage.create_dataset(
                file,
                kind,
                name,
                (total, *layout.shape),
                np.dtype(dtype or layout.dtype or float),
                chunks,
            )
        _fill(file, columns, filled)


def _check_names(sources: list[Path], target: Path) -> None:
    seen = set()
    for source in sources:
        resolved = source.resolve()
        if resolved in seen:
            raise UserError(f"{source} is listed twice for {target}")
        seen.add(resolved)
    if target.resolve() in seen:
        raise UserError(f"{target} is both source and target")


def _fill(
    target: h5py.File, columns: dict[str, str], sources: list[Path]
) -> None:
    """Copy the sources' rows one after the other, many small ones at once."""
    goals = {
        name: target[f"{storage.GROUPS[kind]}/{name}"]
        for name, kind in columns.items()
    }
    start, waiting, size = 0, [], 0
    for block in _blocks(columns, sources):
        waiting.append(block)
        size += sum(piece.nbytes for piece in block.values())
        if size >= _BLOCK_BYTES:
            start = _flush(goals, waiting, start)
            waiting, size = [], 0
    _flush(goals, waiting, start)


def _blocks(
    columns: dict[str, str], sources: list[Path]
) -> Iterator[dict[str, np.ndarray]]:
    """Read the sources in blocks of rows of limited size."""
    for source in sources:
        with storage.opened(source) as file:
            rows = storage.read_length(file)
            datasets = {
                name: storage.find_dataset(file, kind, name, rows)
                for name, kind in columns.items()
            }
            size = sum(dataset.nbytes for dataset in datasets.values())
            step = max(1, rows * _BLOCK_BYTES // max(size, 1))
            for begin in range(0, rows, step):
                chosen = slice(begin, min(begin + step, rows))
                yield {
                    name: storage.read_rows(dataset, chosen)
                    for name, dataset in datasets.items()
                }


def _flush(
    goals: dict[str, h5py.Dataset],
    blocks: list[dict[str, np.ndarray]],
    start: int,
) -> int:
    """Write blocks to the rows from ``start`` on; give the next row."""
    stop = start
    for name, goal in goals.items():
        pieces = [block[name] for block in blocks]
        if pieces:
            stop = start + sum(map(len, pieces))
            goal[start:stop] = np.concatenate(pieces)
    return stop
