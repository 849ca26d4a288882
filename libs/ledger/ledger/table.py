"""Tables of rows that share metadata, in memory."""

import dataclasses
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from conventions.errors import UserError

from ledger.storage import plain


def parameter() -> Any:
    """Declare a column of numbers: one value, or one short row, per row."""
    return dataclasses.field(
        default_factory=lambda: np.array([]), metadata={"kind": "parameter"}
    )


def waveform() -> Any:
    """Declare a column of time series of one length, shape (row, time)."""
    return dataclasses.field(
        default_factory=lambda: np.array([]), metadata={"kind": "waveform"}
    )


def metadata(
    default: Any = None,
    default_factory: Callable[[], Any] | None = None,
    merge: Literal["equal", "add"] = "equal",
) -> Any:
    """Declare one value for the whole table.

    Args:
        default: its value when none is given.
        default_factory: makes that value, in place of ``default``.
        merge: what happens when tables are joined: the values must be
            ``equal`` (None and an empty list agree with anything), or they
            ``add``.
    """
    made = (
        {"default": default}
        if default_factory is None
        else {"default_factory": default_factory}
    )
    return dataclasses.field(
        **made, metadata={"kind": "metadata", "merge": merge}
    )


@dataclass(eq=False)
class Table:
    """A ledger without its file; see :class:`ledger.ledger.Ledger`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if hasattr(cls, "compare_metadata"):
            raise TypeError(
                f"{cls.__name__} defines compare_metadata, which nothing "
                "calls; declare how a field joins where it is defined: "
                "metadata(merge='add') or metadata(merge='equal')"
            )

    def __post_init__(self) -> None:
        for name in self.metadata_fields():
            setattr(self, name, plain(getattr(self, name)))
        length = None
        for name in self.columns():
            value = np.atleast_1d(np.asarray(getattr(self, name)))
            setattr(self, name, value)
            if length is None:
                length = len(value)
            elif len(value) != length:
                raise UserError(
                    f"{type(self).__name__}: field {name} has {len(value)} "
                    f"entries, expected {length}"
                )
        self._length = length or 0
        self._check_metadata(self._metadata(), len(self))

    @classmethod
    def _check_metadata(cls, metadata: dict[str, Any], length: int) -> None:
        """Refuse metadata that a table cannot have, whatever its rows.

        Args:
            metadata: name to value.
            length: number of rows.

        Raises:
            UserError: if a value makes no sense.
        """

    @classmethod
    def columns(cls) -> dict[str, str]:
        """Give the names of the columns, each with its kind."""
        return {
            field.name: field.metadata["kind"]
            for field in dataclasses.fields(cls)
            if field.metadata["kind"] != "metadata"
        }

    @classmethod
    def merge_rules(cls) -> dict[str, str]:
        """Give the names of the metadata, each with its rule of joining."""
        return {
            field.name: field.metadata["merge"]
            for field in dataclasses.fields(cls)
            if field.metadata["kind"] == "metadata"
        }

    @classmethod
    def metadata_fields(cls) -> list[str]:
        """Give the names of the metadata."""
        return list(cls.merge_rules())

    @classmethod
    def merge_metadata(
        cls, ours: dict[str, Any], theirs: dict[str, Any], source: str
    ) -> dict[str, Any]:
        """Join the metadata of two tables by the rule of each field.

        Args:
            ours: name to value.
            theirs: name to value.
            source: where ``theirs`` comes from, for the message.

        Returns:
            Name to joined value.

        Raises:
            UserError: if values disagree that must be equal.
        """
        merged = {}
        for name, rule in cls.merge_rules().items():
            our, their = ours[name], theirs[name]
            if our is None or our == []:
                value = their
            elif their is None or their == []:
                value = our
            elif rule == "add":
                value = our + their
            elif our == their:
                value = our
            else:
                raise UserError(
                    f"{cls.__name__}: {name} is {our} so far, but "
                    f"{their} in {source}; they must be equal"
                )
            merged[name] = value
        return merged

    @classmethod
    def _default_metadata(cls) -> dict[str, Any]:
        return {
            field.name: field.default
            if field.default_factory is dataclasses.MISSING
            else field.default_factory()
            for field in dataclasses.fields(cls)
            if field.metadata["kind"] == "metadata"
        }

    def _metadata(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.metadata_fields()}

    @classmethod
    def _metadata_of_selection(
        cls, metadata: dict[str, Any], length: int
    ) -> dict[str, Any]:
        """Give the metadata of ``length`` rows chosen from a table."""
        return metadata

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[dict[str, Any]]:
        columns = {name: getattr(self, name) for name in self.columns()}
        for row in range(len(self)):
            yield {name: value[row] for name, value in columns.items()}

    def __getitem__(self, rows: int | slice | np.ndarray | Sequence) -> Self:
        """Choose rows.

        Args:
            rows: a row number, a slice, a mask or row numbers.

        Returns:
            A table with the metadata of this whole one: loud events, say,
            were found in all of its livetime, and some injections are
            left of all its draws. So selections of one table must not be
            joined again, see :meth:`append`.
        """
        if isinstance(rows, int | np.integer):
            index = range(len(self))[operator.index(rows)]
            rows = slice(index, index + 1)
        elif not isinstance(rows, slice):
            rows = np.asarray(rows)
            rows = rows if len(rows) else rows.astype(int)
        columns = {name: getattr(self, name)[rows] for name in self.columns()}
        length = len(next(iter(columns.values()), ()))
        metadata = self._metadata_of_selection(self._metadata(), length)
        return type(self)(**columns, **metadata)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self._metadata() == other._metadata() and all(
            np.array_equal(ours, theirs, equal_nan=ours.dtype.kind in "fc")
            for ours, theirs in (
                (getattr(self, name), getattr(other, name))
                for name in self.columns()
            )
        )

    __hash__ = None

    def is_sorted_by(self, attr: str) -> bool:
        """Say whether a column never decreases; NaN comes last.

        Args:
            attr: a column, or a property of the same length.

        Raises:
            UserError: if it is not one number per row.
        """
        value = self._sorting_key(attr)
        rising = value[:-1] <= value[1:]
        return bool(np.all(rising | (value[1:] != value[1:])))

    def sort_by(self, attr: str) -> Self:
        """Give the table sorted by a column, ascending and stable.

        Args:
            attr: a column, or a property of the same length.

        Raises:
            UserError: if it is not one number per row.
        """
        return self[np.argsort(self._sorting_key(attr), kind="stable")]

    def _sorting_key(self, attr: str) -> np.ndarray:
        value = np.asarray(getattr(self, attr))
        if value.shape != (len(self),):
            raise UserError(
                f"{type(self).__name__} cannot be sorted by {attr}: it has "
                f"shape {value.shape}, not ({len(self)},)"
            )
        return value

    @classmethod
    def concatenate(cls, ledgers: Iterable[Self]) -> Self:
        """Join tables in their order.

        Args:
            ledgers: instances of this class, each with the metadata of
                data of its own; see :meth:`append`.

        Returns:
            One table; without ``ledgers`` an empty one.

        Raises:
            TypeError: if one is of another class.
            UserError: if metadata disagree or columns do not fit.
        """
        ledgers = list(ledgers)
        merged = cls._default_metadata()
        for number, other in enumerate(ledgers):
            if not isinstance(other, cls):
                raise TypeError(
                    f"a {cls.__name__} cannot take in a {type(other).__name__}"
                )
            merged = cls.merge_metadata(
                merged, other._metadata(), f"table {number} of the join"
            )
        columns = {
            name: _join(name, [getattr(each, name) for each in ledgers])
            for name in cls.columns()
        }
        return cls(**columns, **merged)

    def append(self, other: Self) -> None:
        """Add the rows of another table to this one.

        Metadata that add (``Tb``, ``num_injections``) do so on the
        understanding that the tables come from different data. Two
        selections of one table both have all of its livetime, so that
        joined they have it twice: select from the whole instead, with one
        mask for all rows that are wanted, or set the field afterwards.

        Args:
            other: an instance of this table's class.

        Raises:
            TypeError: if ``other`` is of another class.
            UserError: if metadata disagree or columns do not fit; this
                table is then as before.
        """
        joined = type(self).concatenate([self, other])
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(joined, field.name))
        self.__post_init__()


def _join(name: str, columns: list[np.ndarray]) -> np.ndarray:
    """Stack columns; those without rows say nothing about shape."""
    filled = [column for column in columns if len(column)]
    if not filled:
        return max(columns, key=np.ndim, default=np.array([]))
    shapes = sorted({column.shape[1:] for column in filled})
    if len(shapes) > 1:
        raise UserError(
            f"rows of {name} have different shapes: "
            + ", ".join(map(str, shapes))
        )
    return np.concatenate(filled)
