"""Data-quality flags: what a veto definer says, and when they are active."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from conventions.errors import UserError
from conventions.segments import Segment, show
from ledger.vetos import merge_intervals


@dataclass(frozen=True)
class Definition:
    """One row of a veto definer: a flag, when it counts, and how far.

    Attributes:
        flag: name with ifo and version, ``H1:NAME:1``; without a version
            all versions together.
        ifo: the interferometer that it vetoes.
        category: 1, 2, ...
        start: GPS time from which it counts, s.
        stop: GPS time until which it counts, s; ``inf`` for no end.
        start_pad: added to the start of each active segment, s; negative
            widens.
        stop_pad: added to the end of each active segment, s; positive
            widens.
    """

    flag: str
    ifo: str
    category: int
    start: float
    stop: float
    start_pad: float
    stop_pad: float

    @property
    def category_name(self) -> str:
        """The category as vetoes are asked for: CAT1, CAT2, ..."""
        return f"CAT{self.category}"

    def vetoed(self, active: np.ndarray) -> np.ndarray:
        """Pad active segments and keep what lies within this row's time.

        Args:
            active: GPS start and stop of the flag's active segments, s,
                shape (segment, 2).

        Returns:
            Sorted disjoint intervals, shape (interval, 2). Segments that
            the padding uses up are gone.
        """
        padded = active + np.array([self.start_pad, self.stop_pad])
        padded = np.clip(padded, self.start, self.stop)
        return merge_intervals(padded[padded[:, 0] < padded[:, 1]])


@dataclass(frozen=True)
class Flag:
    """When a flag is known and when it is active.

    Attributes:
        known: GPS start and stop of the time for which there is an answer,
            s, sorted and disjoint, shape (segment, 2).
        active: the same of the time in which the flag is on.
    """

    known: np.ndarray
    active: np.ndarray


def definitions(path: Path, ifos: Sequence[str]) -> list[Definition]:
    """Read a veto-definer file (LIGO_LW XML).

    Args:
        path: the file.
        ifos: interferometers whose rows are wanted.

    Returns:
        One definition a row, in the order of the file.

    Raises:
        UserError: if the file is missing, not a veto definer, or a row is
            without category or ends before it starts.
    """
    from gwpy.io.ligolw import read_table

    _require(path)
    try:
        table = read_table(str(path), "veto_definer")
    except Exception as error:
        raise UserError(f"{path} is not a veto-definer file: {error}") from (
            error
        )
    # Rows have no attribute for a column that is left out.
    columns = {name.rpartition(":")[2] for name in table.columnnames}
    missing = {"ifo", "name", "category"} - columns
    if missing:
        raise UserError(
            f"{path}: the table veto_definer has no column "
            f"{', '.join(sorted(missing))}"
        )
    return [
        _definition(row, f"{path}, row {number}")
        for number, row in enumerate(table, start=1)
        if row.ifo in ifos
    ]


def _definition(row: Any, where: str) -> Definition:
    # A column that is left out is like one without a value.
    version = getattr(row, "version", None)
    name = f"{row.ifo}:{row.name}"
    if version is not None and version >= 0:
        name += f":{int(version)}"
    category = getattr(row, "category", None)
    start = float(getattr(row, "start_time", None) or 0)
    stop = float(getattr(row, "end_time", None) or math.inf)
    if category is None or not start < stop:
        raise UserError(
            f"{where}: flag {name} with category {category} from {start:g} "
            f"to {stop:g}; a category, and a start before the end, are needed"
        )
    return Definition(
        flag=name,
        ifo=row.ifo,
        category=int(category),
        start=start,
        stop=stop,
        start_pad=float(getattr(row, "start_pad", None) or 0),
        stop_pad=float(getattr(row, "end_pad", None) or 0),
    )


def query(
    names: Sequence[str], span: Segment, host: str | None = None
) -> dict[str, Flag]:
    """Ask the segment database (DQSEGDB) for flags.

    Args:
        names: of flags, as in :class:`Definition`.
        span: GPS start and stop, s.
        host: address of the database; None is the public one.

    Returns:
        By name, what is known of each flag in the span.

    Raises:
        UserError: if the address is none, or the database does not answer.
    """
    from dqsegdb2.utils import get_default_host
    from gwpy.segments import DataQualityDict, DataQualityFlag, SegmentList
    from gwpy.segments import Segment as GwpySegment

    host = host or get_default_host()
    address = urlsplit(host)
    if not address.netloc or address.path.strip("/"):
        raise UserError(
            f"host of the segment database: {host!r} is not an address such "
            "as https://segments.igwn.org"
        )
    asked = SegmentList([GwpySegment(math.floor(span[0]), math.ceil(span[1]))])
    found = DataQualityDict(
        (name, DataQualityFlag(name, known=asked)) for name in names
    )
    try:
        found.populate(host, segments=asked, pad=False)
    except Exception as error:
        raise UserError(
            f"flags in {show(span)} could not be had from {host}: {error}"
        ) from error
    return _plain(found)


def read(names: Sequence[str], path: Path) -> dict[str, Flag]:
    """Read flags from a file, in the place of a database.

    Args:
        names: of flags, as in :class:`Definition`.
        path: what gwpy's ``DataQualityDict`` writes: HDF5 or LIGO_LW XML.

    Returns:
        By name, what is known of each flag.

    Raises:
        UserError: if the file is missing or foreign, or lacks a flag.
    """
    from gwpy.segments import DataQualityDict

    _require(path)
    kind = "hdf5" if path.suffix in (".h5", ".hdf5", ".hdf") else "ligolw"
    try:
        found = DataQualityDict.read(str(path), format=kind)
    except Exception as error:
        raise UserError(
            f"{path} is not a file of flags in {kind}: {error}"
        ) from error
    missing = [name for name in names if name not in found]
    if missing:
        raise UserError(
            f"{path} has no flag {', '.join(missing)}; it has "
            f"{', '.join(found) or 'none'}"
        )
    return _plain({name: found[name] for name in names})


def _plain(flags: Mapping[str, Any]) -> dict[str, Flag]:
    def array(segments: Sequence[Any]) -> np.ndarray:
        rows = [(float(start), float(stop)) for start, stop in segments]
        return merge_intervals(np.array(rows).reshape(-1, 2))

    return {
        name: Flag(array(flag.known), array(flag.active))
        for name, flag in flags.items()
    }


def _require(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
