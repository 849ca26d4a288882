"""Tables of rows that share metadata, in memory and in HDF5."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from conventions.errors import UserError
from conventions.files import complete

from ledger import storage
from ledger.aggregation import merge_files
from ledger.storage import PATH
from ledger.table import Table, metadata, parameter, waveform

__all__ = ["PATH", "Ledger", "metadata", "parameter", "waveform"]


@dataclass(eq=False)
class Ledger(Table):
    """A table whose columns have one length, with metadata, and its file.

    Subclasses are dataclasses (``@dataclass(eq=False)``) whose fields are
    declared with :func:`~ledger.table.parameter`,
    :func:`~ledger.table.waveform` and :func:`~ledger.table.metadata`.
    A ledger without rows is valid everywhere.

    Raises:
        UserError: at construction, if columns differ in length.
    """

    def write(
        self, fname: PATH, chunks: tuple[int, ...] | None = None
    ) -> None:
        """Write the table; the file is complete or absent.

        Args:
            fname: the file, replaced if it exists.
            chunks: chunk shape (row, time) of the waveforms.
        """
        with complete(fname) as path, h5py.File(path, "w") as file:
            storage.write_attributes(file, len(self), self._metadata())
            for name, kind in self.columns().items():
                value = getattr(self, name)
                dataset = storage.create_dataset(
                    file, kind, name, value.shape, value.dtype, chunks
                )
                if value.size:
                    dataset[...] = value

    @classmethod
    def read(cls, fname: PATH) -> Self:
        """Read a table; what the file has beyond this class is ignored.

        Args:
            fname: the file.

        Raises:
            UserError: if the file is missing, truncated or foreign, or has
                rows but lacks a number that tables add when joined (the
                livetime ``Tb``, ``num_injections``).
        """
        with storage.opened(fname) as file:
            return cls._from_file(file)

    @classmethod
    def _from_file(
        cls, file: h5py.File, rows: np.ndarray | None = None
    ) -> Self:
        length = storage.read_length(file)
        columns = {
            name: storage.find_column(file, kind, name, length).read(rows)
            for name, kind in cls.columns().items()
        }
        metadata = cls._metadata_from_file(file, length)
        if rows is not None:
            metadata = cls._metadata_of_selection(metadata, len(rows))
        return cls._made_of(columns, metadata, file.filename)

    @classmethod
    def _made_of(
        cls,
        columns: dict[str, np.ndarray],
        metadata: dict[str, Any],
        source: str,
    ) -> Self:
        """Make a table; what is wrong with it is wrong with its source."""
        try:
            return cls(**columns, **metadata)
        except UserError as error:
            raise UserError(f"{source}: {error}") from error

    @classmethod
    def _check_metadata_of(
        cls, metadata: dict[str, Any], length: int, source: str
    ) -> None:
        """Refuse metadata that ``length`` rows of a file cannot have."""
        try:
            cls._check_metadata(metadata, length)
        except UserError as error:
            raise UserError(f"{source}: {error}") from error

    @classmethod
    def _metadata_from_file(
        cls, file: h5py.File, length: int
    ) -> dict[str, Any]:
        found, attributes = cls._default_metadata(), file.attrs
        for name, rule in cls.merge_rules().items():
            value = storage.plain(attributes.get(name))
            if value is None:
                if rule == "add" and length:
                    raise UserError(
                        f"{file.filename}: has {length} rows, but root "
                        f"attribute '{name}' is missing"
                    )
                continue
            if rule == "add" and not isinstance(value, int | float):
                raise UserError(
                    f"{file.filename}: root attribute '{name}' is {value!r}, "
                    "not a number"
                )
            found[name] = value
        return found

    @classmethod
    def sample_from_file(
        cls,
        fname: PATH,
        N: int,
        replace: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Self:
        """Read randomly chosen rows, in random order.

        Args:
            fname: the file.
            N: number of rows.
            replace: whether a row can be chosen more than once.
            rng: source of randomness; a fresh one by default.

        Raises:
            UserError: if the file has too few rows.
        """
        rng = np.random.default_rng() if rng is None else rng
        with storage.opened(fname) as file:
            length = storage.read_length(file)
            if length < N and not (replace and length):
                raise UserError(
                    f"{fname}: {N} rows asked for, {length} are there"
                )
            chosen = rng.choice(max(length, 1), size=N, replace=replace)
            rows, order = np.unique(chosen, return_inverse=True)
            return cls._from_file(file, rows)[order]

    @classmethod
    def aggregate(
        cls,
        files: Iterable[PATH],
        fname: PATH,
        dtype: np.dtype | type | None = None,
        clean: bool = False,
        chunks: tuple[int, ...] | None = None,
        length: int | None = None,
    ) -> None:
        """Join the tables of many files into one file, streaming.

        The sources are read block by block, and all their rows pass the
        checks of this class's construction; the target is complete or
        absent. The metadata of the sources are those of whole files: see
        :meth:`~ledger.table.Table.append` for those of selections.

        Args:
            files: the sources, in the order of their rows.
            fname: the target.
            dtype: dtype of all columns; by default each column's own.
            clean: remove the sources once the target is complete.
            chunks: chunk shape (row, time) of the waveforms.
            length: the number of rows expected; checked when given.

        Raises:
            UserError: if a source is missing, truncated, foreign, listed
                twice or could not be read as a table of this class, if
                metadata or shapes disagree, or if the number of rows is
                not ``length``. Nothing is removed or replaced.
        """
        sources = [Path(file) for file in files]
        merge_files(cls, sources, Path(fname), dtype, chunks, length)
        if clean:
            for source in sources:
                source.unlink()
