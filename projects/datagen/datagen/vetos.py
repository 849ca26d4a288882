"""Times that a search leaves out, collected in one file."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from conventions.errors import UserError
from conventions.segments import Segment
from conventions.vetos import CATALOG, GATES, SEGMENTS, check_category
from ledger.livetime import LivetimeSet
from ledger.veto_set import VetoSet
from ledger.vetos import merge_intervals

from datagen import flags, veto_tables
from datagen.segments import check_ifos

ByIfo = dict[str, np.ndarray]
"""GPS intervals, s, shape (interval, 2), of each interferometer."""


@dataclass(frozen=True)
class VetoSources:
    """Where vetoed times come from; what is not asked for is not read.

    Attributes:
        veto_definer_file: LIGO_LW XML that names flags by category.
        flags_file: the segments of these flags, as gwpy writes them (HDF5
            or LIGO_LW XML); None asks the segment database.
        segment_host: address of the segment database; None is the public
            one.
        gates: by ifo, a file of gates (:func:`datagen.veto_tables.gates`).
        gate_padding: added to a gate on each side, s.
        segments: by ifo, a file of vetoed segments.
        catalog: table of known events with their GPS times.
        catalog_window: vetoed on each side of a known event, s.

    Raises:
        UserError: if a length is negative, or flags have two sources.
    """

    veto_definer_file: Path | None = None
    flags_file: Path | None = None
    segment_host: str | None = None
    gates: Mapping[str, Path] = field(default_factory=dict)
    gate_padding: float = 0.375
    segments: Mapping[str, Path] = field(default_factory=dict)
    catalog: Path | None = None
    catalog_window: float = 1.0

    def __post_init__(self) -> None:
        for name in ("gate_padding", "catalog_window"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise UserError(
                    f"{name}: {value!r} is not accepted, it must be 0 or "
                    "more seconds"
                )
        if self.flags_file is not None and self.segment_host is not None:
            raise UserError(
                f"flags_file {self.flags_file} and segment_host "
                f"{self.segment_host} are both given; the segments of flags "
                "come from one or the other"
            )

    def files(self) -> list[Path]:
        """All files that are named."""
        single = (self.veto_definer_file, self.flags_file, self.catalog)
        named = [*single, *self.gates.values(), *self.segments.values()]
        return [Path(file) for file in named if file is not None]


def vetos(
    output: Path,
    categories: Sequence[str],
    ifos: Sequence[str],
    searched: Sequence[Segment],
    sources: VetoSources,
) -> None:
    """Collect vetoed times in one file.

    Args:
        output: file to be written (``ledger.veto_set.VetoSet``), complete
            or absent. Its settings are the arguments; its notes have the
            checksums of the files and warnings.
        categories: CAT1, CAT2, ... are the flags of that category alone in
            the veto definer; GATES, SEGMENTS and CATALOG the others.
        ifos: interferometers.
        searched: segments, GPS s, sorted and disjoint.
        sources: where the times come from.

    Raises:
        UserError: if a category is unknown or listed twice, its source is
            missing or foreign, or the segment database does not answer.
    """
    check_ifos(ifos)
    if isinstance(categories, str) or len(set(categories)) < len(categories):
        raise UserError(
            f"vetos: {categories!r} is not a list of different categories"
        )
    readers: dict[str, Callable[[], ByIfo]] = {
        GATES: lambda: _gates(ifos, sources),
        SEGMENTS: lambda: _segments(ifos, sources),
        CATALOG: lambda: _catalog(ifos, sources),
    }
    for name in categories:
        check_category(name)
    tables = {name: readers[name]() for name in categories if name in readers}
    flagged = [name for name in categories if name not in readers]
    warnings: list[str] = []
    if flagged:
        tables |= _flagged(flagged, ifos, searched, sources, warnings)
    arguments = {"vetos": list(categories), "ifos": list(ifos)}
    VetoSet(
        {name: tables[name] for name in categories},
        settings=json.loads(
            json.dumps(arguments | asdict(sources), default=str)
        ),
        notes={
            "sha256": {
                str(file): hashlib.sha256(file.read_bytes()).hexdigest()
                for file in sources.files()
                if file.is_file()
            },
            "warnings": warnings,
        },
    ).write(output)


def _gates(ifos: Sequence[str], sources: VetoSources) -> ByIfo:
    files = _of_each(ifos, "gates", sources.gates, "GATES")
    return {
        ifo: veto_tables.gates(file, sources.gate_padding)
        for ifo, file in files.items()
    }


def _segments(ifos: Sequence[str], sources: VetoSources) -> ByIfo:
    files = _of_each(ifos, "segments", sources.segments, "SEGMENTS")
    return {ifo: veto_tables.segments(file) for ifo, file in files.items()}


def _catalog(ifos: Sequence[str], sources: VetoSources) -> ByIfo:
    if sources.catalog is None:
        raise UserError("vetos: CATALOG needs a table of events (catalog)")
    times = veto_tables.events(Path(sources.catalog), sources.catalog_window)
    return dict.fromkeys(ifos, times)


def _of_each(
    ifos: Sequence[str], key: str, files: Mapping[str, Path], category: str
) -> dict[str, Path]:
    missing = [ifo for ifo in ifos if ifo not in files]
    if missing:
        raise UserError(
            f"vetos: {category} needs a file for {', '.join(missing)} "
            f"({key} has {', '.join(files) or 'none'})"
        )
    return {ifo: Path(files[ifo]) for ifo in ifos}


def _flagged(
    categories: Sequence[str],
    ifos: Sequence[str],
    searched: Sequence[Segment],
    sources: VetoSources,
    warnings: list[str],
) -> dict[str, ByIfo]:
    """Give the times of flags by category; add what is to be warned of."""
    if sources.veto_definer_file is None:
        raise UserError(
            f"vetos: {', '.join(categories)} need a veto-definer file "
            "(veto_definer_file)"
        )
    path = Path(sources.veto_definer_file)
    rows = flags.definitions(path, ifos)
    defined = {row.category_name for row in rows}
    for name in categories:
        if name not in defined:
            raise UserError(
                f"vetos: {path} has no flag of category {name} for "
                f"{', '.join(ifos)}; it has "
                f"{', '.join(sorted(defined)) or 'none'}"
            )
    span = (searched[0][0], searched[-1][1])
    rows = [
        row
        for row in rows
        if row.category_name in categories
        and row.start < span[1]
        and row.stop > span[0]
    ]
    applying = {row.category_name for row in rows}
    warnings += [
        f"no flag of category {name} in {path} applies to the searched time"
        for name in categories
        if name not in applying
    ]
    answers = _answers(rows, span, sources)
    times: dict[str, dict[str, list[np.ndarray]]] = {
        name: {ifo: [] for ifo in ifos} for name in categories
    }
    for row in rows:
        flag = answers[row.flag]
        times[row.category_name][row.ifo].append(row.vetoed(flag.active))
        unknown, counted = _unknown(row, flag, searched)
        if unknown > 0:
            warnings.append(
                f"flag {row.flag} ({row.category_name}) is not known in "
                f"{unknown:g} of the {counted:g} searched seconds to which "
                "it applies; it vetoes nothing there"
            )
    return {
        name: {
            ifo: merge_intervals(np.concatenate([np.empty((0, 2)), *parts]))
            for ifo, parts in by_ifo.items()
        }
        for name, by_ifo in times.items()
    }


def _answers(
    rows: Sequence[flags.Definition], span: Segment, sources: VetoSources
) -> dict[str, flags.Flag]:
    names = sorted({row.flag for row in rows})
    if not names:
        return {}
    if sources.flags_file is not None:
        return flags.read(names, Path(sources.flags_file))
    # Padding moves what is active outside the span into it.
    pads = [abs(pad) for row in rows for pad in (row.start_pad, row.stop_pad)]
    wide = (span[0] - max(pads), span[1] + max(pads))
    return flags.query(names, wide, sources.segment_host)


def _unknown(
    row: flags.Definition, flag: flags.Flag, searched: Sequence[Segment]
) -> tuple[float, float]:
    """Give seconds without an answer, out of those to which a row applies."""
    start, stop = np.clip(np.array(searched), row.start, row.stop).T
    stretches = LivetimeSet(start, stop, np.zeros((len(start), 1)))
    return stretches.Tb - stretches.vetoed([flag.known]), stretches.Tb
