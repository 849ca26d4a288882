"""Which spans of time are analysed: query, split, validate, read, write."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from conventions.errors import UserError
from conventions.files import complete

Segment = tuple[float, float]

_ROUNDING = 1e-3
"""Seconds by which a duration in a file may miss stop - start."""

IFOS = ("H1", "L1", "V1", "K1")
"""Interferometers whose data can be made or fetched."""

SOURCES = ("simulated", "gwosc")
"""Where strain comes from."""


def check_ifos(ifos: Sequence[str]) -> None:
    """Check a list of interferometers.

    Args:
        ifos: names of interferometers.

    Raises:
        UserError: if the list is empty, names an unknown interferometer or
            names one twice.
    """
    if isinstance(ifos, str) or not ifos:
        raise UserError(
            f"ifos: {ifos!r} is not a list of at least one interferometer "
            f"out of {', '.join(IFOS)}"
        )
    for ifo in ifos:
        if ifo not in IFOS:
            raise UserError(
                f"ifos: unknown interferometer {ifo!r}, accepted are "
                f"{', '.join(IFOS)}"
            )
    if len(set(ifos)) != len(ifos):
        raise UserError(f"ifos: {list(ifos)} names an interferometer twice")


def check_source(source: str) -> None:
    """Check the name of a source of strain.

    Args:
        source: a name.

    Raises:
        UserError: if it is none of :data:`SOURCES`.
    """
    if source not in SOURCES:
        raise UserError(
            f"source: {source!r} is unknown, accepted are {', '.join(SOURCES)}"
        )


def query(
    source: str,
    ifos: Sequence[str],
    start: float,
    stop: float,
    *,
    flag: str = "DATA",
    min_duration: float = 0.0,
    max_duration: float | None = None,
    host: str | None = None,
) -> list[Segment]:
    """Find the segments of a span during which all ifos have data.

    Simulated data exist everywhere, so that the span is one segment.
    Segments shorter than ``min_duration`` are left out, those longer than
    ``max_duration`` are split by :func:`split`.

    Args:
        source: ``simulated`` or ``gwosc``.
        ifos: interferometers that must have data at the same time.
        start: GPS start of the span, s.
        stop: GPS end of the span, s.
        flag: data-quality flag without the ifo, such as ``DATA`` or
            ``CBC_CAT2``; it is asked of the open-data server as
            ``<ifo>_<flag>``.
        min_duration: shortest segment that is of use, s.
        max_duration: longest segment, s; None does not split.
        host: address of the open-data server; None is its public address.

    Returns:
        Sorted segments ``(start, stop)``, GPS s, half open, disjoint.

    Raises:
        UserError: for an unknown source or ifo, a span that is empty, a
            span without a segment of ``min_duration``, or limits that
            exclude each other.
    """
    check_source(source)
    check_ifos(ifos)
    if not stop > start:
        raise UserError(
            f"stop: {stop!r} is not after start: {start!r} (GPS seconds)"
        )
    if source == "simulated":
        found = [(float(start), float(stop))]
    else:
        from datagen.gwosc import common_segments

        found = common_segments(ifos, start, stop, flag=flag, host=host)

    kept = [pair for pair in found if pair[1] - pair[0] >= min_duration]
    if not kept:
        longest = max((b - a for a, b in found), default=0.0)
        raise UserError(
            f"no segment of at least min_duration = {min_duration:g} s in "
            f"{show((start, stop))} for {', '.join(ifos)} from source "
            f"{source!r}: {len(found)} found, the longest has {longest:g} s"
        )
    if max_duration is not None:
        kept = [
            piece
            for pair in kept
            for piece in split(pair, max_duration, min_duration)
        ]
    validate(kept)
    return kept


def split(
    pair: Segment, max_duration: float, min_duration: float = 0.0
) -> list[Segment]:
    """Split a segment evenly into as few pieces as ``max_duration`` allows.

    The pieces cover the segment without a gap. Inner edges lie a whole
    number of seconds after the start, so that pieces differ by less than
    2 s and none is shorter than half of ``max_duration`` minus 1 s.

    Args:
        pair: the segment ``(start, stop)``, GPS s.
        max_duration: longest piece, s, at least 1; its fraction of a second
            is not used.
        min_duration: shortest piece that is of use, s.

    Returns:
        The pieces in order of time.

    Raises:
        UserError: if ``max_duration`` is below 1 s, or a piece would be
            shorter than ``min_duration``.
    """
    start, stop = pair
    duration = stop - start
    if duration <= max_duration:
        return [pair]
    if max_duration < 1:
        raise UserError(
            f"max_duration: {max_duration!r} is below the accepted 1 s"
        )
    whole = math.ceil(duration)
    count = math.ceil(whole / math.floor(max_duration))
    edges = [start + whole * i // count for i in range(count)] + [stop]
    pieces = list(pairwise(edges))
    shortest = min(b - a for a, b in pieces)
    if shortest < min_duration:
        raise UserError(
            f"max_duration = {max_duration:g} s splits segment "
            f"{show(pair)} into pieces of {shortest:g} s, "
            f"shorter than min_duration = {min_duration:g} s; a "
            f"min_duration of at most max_duration / 2 - 1 s always works"
        )
    return pieces


def validate(segments: Sequence[Segment]) -> None:
    """Check that segments can be analysed one by one.

    Args:
        segments: pairs ``(start, stop)``, GPS s.

    Raises:
        UserError: if there is none, one does not end after it starts, two
            overlap, or they are not in order of time; the message names
            the segments.
    """
    if not segments:
        raise UserError("segments: the list is empty, one or more is needed")
    previous = None
    for pair in segments:
        if not (math.isfinite(pair[0]) and pair[1] > pair[0]):
            raise UserError(
                f"segments: {show(pair)} does not end after it starts"
            )
        if previous is not None and pair[0] < previous[1]:
            if pair[1] <= previous[0]:
                problem = "are not in order of time"
            else:
                problem = "overlap"
            raise UserError(
                f"segments: {show(previous)} and {show(pair)} {problem}"
            )
        previous = pair


def show(pair: Segment) -> str:
    """Format a segment for a message.

    Args:
        pair: ``(start, stop)``, GPS s.

    Returns:
        Text such as ``[1126259446, 1126259462.5)``.
    """
    return f"[{_text(pair[0])}, {_text(pair[1])})"


def _text(value: float) -> str:
    number = float(value)
    return str(int(number)) if number.is_integer() else repr(number)


def write(path: Path, segments: Sequence[Segment]) -> None:
    """Write a list of segments in segwizard format, complete or not at all.

    Args:
        path: file to be written.
        segments: pairs ``(start, stop)``, GPS s.

    Raises:
        UserError: if the segments are not valid, see :func:`validate`.
    """
    validate(segments)
    with complete(path) as temporary, temporary.open("w") as file:
        file.write("# seg\tstart\tstop\tduration\n")
        for number, (start, stop) in enumerate(segments):
            columns = (number, start, stop, stop - start)
            file.write("\t".join(_text(value) for value in columns) + "\n")


def read(path: Path) -> list[Segment]:
    """Read a list of segments in segwizard format.

    Lines have the columns number, start, stop, duration, or the two in the
    middle alone; ``#`` begins a comment.

    Args:
        path: file to be read.

    Returns:
        Pairs ``(start, stop)``, GPS s, in order of time.

    Raises:
        UserError: if the file is missing or a line is not of this kind, or
            its segments are not valid, see :func:`validate`.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"segment file {path} does not exist")
    segments = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        columns = line.partition("#")[0].split()
        if columns:
            segments.append(_parse(columns, f"{path}, line {number}"))
    try:
        validate(segments)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return segments


def _parse(columns: list[str], where: str) -> Segment:
    try:
        values = [float(column) for column in columns]
    except ValueError:
        values = []
    if len(values) == 2:
        start, stop = values
    elif len(values) == 4:
        start, stop = values[1:3]
    else:
        raise UserError(
            f"{where}: {' '.join(columns)!r} is not a segment in segwizard "
            f"format (number, start, stop, duration)"
        )
    if len(values) == 4 and abs(stop - start - values[3]) > _ROUNDING:
        raise UserError(
            f"{where}: the segment {show((start, stop))} does not have the "
            f"duration {columns[3]}"
        )
    return start, stop


def intersect(
    first: Sequence[Segment], second: Sequence[Segment]
) -> list[Segment]:
    """Find the time that two lists of segments have in common.

    Args:
        first: sorted, disjoint pairs ``(start, stop)``, GPS s.
        second: the same of the other list.

    Returns:
        Sorted, disjoint pairs; may be none.
    """
    common = []
    i = j = 0
    while i < len(first) and j < len(second):
        start = max(first[i][0], second[j][0])
        stop = min(first[i][1], second[j][1])
        if start < stop:
            common.append((start, stop))
        if first[i][1] < second[j][1]:
            i += 1
        else:
            j += 1
    return common
