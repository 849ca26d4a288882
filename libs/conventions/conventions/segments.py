"""Lists of segments of time: validate, read, write."""

import math
from collections.abc import Sequence
from pathlib import Path

from conventions.errors import UserError
from conventions.files import complete

Segment = tuple[float, float]
"""GPS start and end, s, half open."""

_ROUNDING = 1e-3
"""Seconds by which a duration in a file may miss stop - start."""


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
