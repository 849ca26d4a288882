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

# Data of this size are read or held before they are written.
_BLOCK_BYTES = 2**25

# Small files are put together in this number, since each array on its own
# takes more memory than its few numbers.
_FILES_AT_ONCE = 100

Block = dict[str, np.ndarray]


@dataclass
class _Layout:
    """Row shape and dtype that the sources of one column agree on."""

    shape: tuple[int, ...] = ()
    dtype: np.dtype | None = None
    filled: bool = False

    def include(self, column: storage.Column) -> None:
        """Take in one source; one without rows counts until others do."""
        shape, filled = column.shape[1:], column.shape[0] > 0
        if filled and self.filled:
            if shape != self.shape:
                raise column.fault(
                    f"has rows of shape {shape}, those so far {self.shape}"
                )
            if column.dtype != self.dtype:
                self.dtype = np.promote_types(self.dtype, column.dtype)
        elif filled:
            self.shape, self.dtype, self.filled = shape, column.dtype, True
        elif not self.filled:
            self.shape = max(shape, self.shape, key=len)
            self.dtype = self.dtype or column.dtype


class _Survey:
    """What the sources have in common, and the data of the first of them.

    Opening a file and its datasets costs more than to read the few rows of
    a small one. So their rows are held, up to a limit, and only sources
    beyond it are opened a second time.

    Args:
        cls: the class of the tables.

    Attributes:
        rows: number of rows so far.
        metadata: joined so far.
        layouts: of each column.
        later: sources whose rows are not held.
    """

    def __init__(
        self, cls: "type[Ledger]", dtype: np.dtype | type | None
    ) -> None:
        self._cls, self._dtype = cls, dtype
        self._columns = cls.columns()
        self._blocks: list[Block] = []
        self._recent: list[Block] = []
        self._size = 0
        self.rows = 0
        self.metadata = cls._default_metadata()
        self.layouts = {name: _Layout() for name in self._columns}
        self.later: list[Path] = []

    def include(self, source: Path) -> None:
        """Take in the next source."""
        with storage.opened(source) as file:
            rows = storage.read_length(file)
            metadata = self._cls._metadata_from_file(file, rows)
            self.metadata = self._cls.merge_metadata(
                self.metadata, metadata, str(source)
            )
            columns = {
                name: storage.find_column(file, kind, name, rows)
                for name, kind in self._columns.items()
            }
            for name, column in columns.items():
                self.layouts[name].include(column)
            size = sum(column.nbytes for column in columns.values())
            if rows and (self.later or self._size + size > _BLOCK_BYTES):
                # The rows are checked when they are read, but in pieces.
                self._cls._check_metadata_of(metadata, rows, str(source))
                self.later.append(source)
            else:
                block = _read(columns, self._dtype)
                self._cls._made_of(block, metadata, str(source))
                self._hold(block, rows, size)
        self.rows += rows

    def _hold(self, block: Block, rows: int, size: int) -> None:
        if not rows:
            return
        self._size += size
        self._recent.append(block)
        if len(self._recent) == _FILES_AT_ONCE:
            self._blocks.append(_join(self._recent))
            self._recent = []

    def take(self) -> list[Block]:
        """Hand over the rows that are held, in their order."""
        blocks = self._blocks + self._recent
        self._blocks, self._recent = [], []
        return blocks


def merge_files(
    cls: "type[Ledger]",
    sources: list[Path],
    target: Path,
    dtype: np.dtype | type | None = None,
    chunks: tuple[int, ...] | None = None,
    length: int | None = None,
) -> None:
    """Join files of one ledger class; see ``Ledger.aggregate``.

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
    survey = _Survey(cls, dtype)
    for source in sources:
        survey.include(source)
    if length is not None and survey.rows != length:
        raise UserError(
            f"the {len(sources)} files for {target} have {survey.rows} rows, "
            f"expected {length}"
        )
    with complete(target) as path, h5py.File(path, "w") as file:
        storage.write_attributes(file, survey.rows, survey.metadata)
        goals = {}
        for name, kind in cls.columns().items():
            layout = survey.layouts[name]
            goals[name] = storage.create_dataset(
                file,
                kind,
                name,
                (survey.rows, *layout.shape),
                np.dtype(dtype or layout.dtype or float),
                chunks,
            )
        start = _write(goals, survey.take(), 0)
        for blocks in _pieces(_blocks(cls, survey.later, dtype)):
            start = _write(goals, blocks, start)


def _check_names(sources: list[Path], target: Path) -> None:
    seen = set()
    for source in sources:
        resolved = source.resolve()
        if resolved in seen:
            raise UserError(f"{source} is listed twice for {target}")
        seen.add(resolved)
    if target.resolve() in seen:
        raise UserError(f"{target} is both source and target")


def _pieces(blocks: Iterator[Block]) -> Iterator[list[Block]]:
    """Put blocks together until they are large enough to be written."""
    waiting, size = [], 0
    for block in blocks:
        waiting.append(block)
        size += sum(piece.nbytes for piece in block.values())
        if size >= _BLOCK_BYTES:
            yield waiting
            waiting, size = [], 0
    yield waiting


def _read(
    columns: dict[str, storage.Column],
    dtype: np.dtype | type | None,
    rows: slice | None = None,
) -> Block:
    """Read rows as they will be written: checks must see the same values."""
    block = {name: column.read(rows) for name, column in columns.items()}
    if dtype is None:
        return block
    with np.errstate(over="ignore"):  # what this makes is checked
        return {name: values.astype(dtype) for name, values in block.items()}


def _blocks(
    cls: "type[Ledger]",
    sources: list[Path],
    dtype: np.dtype | type | None,
) -> Iterator[Block]:
    """Read and check the sources in blocks of rows of limited size."""
    for source in sources:
        with storage.opened(source) as file:
            rows = storage.read_length(file)
            metadata = cls._metadata_from_file(file, rows)
            found = {
                name: storage.find_column(file, kind, name, rows)
                for name, kind in cls.columns().items()
            }
            size = sum(column.nbytes for column in found.values())
            step = max(1, rows * _BLOCK_BYTES // max(size, 1))
            for begin in range(0, rows, step):
                chosen = slice(begin, min(begin + step, rows))
                block = _read(found, dtype, chosen)
                where = f" from row {begin} on" if begin else ""
                cls._made_of(block, metadata, f"{source}{where}")
                yield block


def _join(blocks: list[Block]) -> Block:
    return {
        name: np.concatenate([block[name] for block in blocks])
        for name in blocks[0]
    }


def _write(
    goals: dict[str, h5py.Dataset], blocks: list[Block], start: int
) -> int:
    """Write blocks to the rows from ``start`` on; give the next row."""
    if not blocks:
        return start
    for name, values in _join(blocks).items():
        stop = start + len(values)
        # HDF5 would convert, too, but slowly.
        goals[name][start:stop] = values.astype(goals[name].dtype, copy=False)
    return stop
