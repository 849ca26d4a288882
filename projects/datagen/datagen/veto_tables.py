"""Vetoed times that a user gives as tables: gates, segments, events."""

from pathlib import Path

import numpy as np
from conventions.errors import UserError
from ledger.vetos import merge_intervals

TIME_COLUMNS = ("gps", "gps_time", "time")
"""What the column of a catalogue's GPS times may be called, in any case."""

_ROUNDING = 1e-3
"""Seconds by which a duration in a file may miss stop - start."""


def gates(path: Path, padding: float) -> np.ndarray:
    """Read the times in which one interferometer's data were gated.

    Args:
        path: text with three columns, centre, half width and taper of each
            gate (s): it reaches from centre - width - taper to centre +
            width + taper; or segments in segwizard format.
        padding: added on each side, s.

    Returns:
        Sorted disjoint GPS intervals, s, shape (interval, 2).

    Raises:
        UserError: if the file is missing or of another kind, or a gate
            begins before GPS time 0.
    """
    rows = _rows(path)
    if rows.shape[1] != 3:
        found = _segments(rows, path)
    elif np.any(rows[:, 1:] < 0):
        raise UserError(f"{path}: a gate has a negative width or taper")
    else:
        reach = rows[:, 1] + rows[:, 2]
        early = np.flatnonzero(reach >= rows[:, 0])
        if early.size:
            raise UserError(
                f"{path}, gate {early[0] + 1}: {rows[early[0]].tolist()} is "
                "centre, half width and taper of a gate that begins before "
                "GPS time 0; are the columns number, start and stop? "
                "Segments need start and stop alone, or number, start, stop "
                "and duration"
            )
        found = np.column_stack([rows[:, 0] - reach, rows[:, 0] + reach])
    return merge_intervals(found + padding * np.array([-1.0, 1.0]))


def segments(path: Path) -> np.ndarray:
    """Read vetoed segments of one interferometer.

    Args:
        path: segwizard format: number, start, stop, duration, or start and
            stop alone; they may overlap, and there may be none.

    Returns:
        Sorted disjoint GPS intervals, s, shape (interval, 2).

    Raises:
        UserError: if the file is missing or of another kind.
    """
    return merge_intervals(_segments(_rows(path), path))


def events(path: Path, window: float) -> np.ndarray:
    """Read the times around known events.

    Args:
        path: table of any kind that astropy recognises, with the GPS time
            of each event (s) in one of :data:`TIME_COLUMNS`.
        window: on each side of an event, s.

    Returns:
        Sorted disjoint GPS intervals, s, shape (interval, 2).

    Raises:
        UserError: if the file is missing or foreign, there is not exactly
            one column of times, or a time is missing.
    """
    from astropy.table import Table

    _require(path)
    try:
        table = Table.read(path)
    except Exception as error:
        raise UserError(f"{path} is not a table of events: {error}") from error
    names = [name for name in table.colnames if name.lower() in TIME_COLUMNS]
    if len(names) != 1:
        raise UserError(
            f"{path}: one column of GPS times called "
            f"{', '.join(TIME_COLUMNS)} is needed; the columns are "
            f"{', '.join(table.colnames)}"
        )
    try:
        times = np.ma.filled(np.ma.asarray(table[names[0]], float), np.nan)
    except ValueError as error:
        raise UserError(f"{path}, column {names[0]}: {error}") from error
    bad = int(np.sum(~np.isfinite(times)))
    if bad:
        raise UserError(
            f"{path}, column {names[0]}: {bad} of {len(times)} events have "
            "no time"
        )
    return merge_intervals(np.column_stack([times - window, times + window]))


def _rows(path: Path) -> np.ndarray:
    """Read a table of numbers, shape (row, column); ``#`` is a comment."""
    _require(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file: {error}") from error
    lines = [line.partition("#")[0].split() for line in text.splitlines()]
    lines = [columns for columns in lines if columns]
    if not lines:
        return np.empty((0, 2))
    try:
        rows = np.array(lines, dtype=float)
    except ValueError as error:
        raise UserError(
            f"{path} is not a table of numbers: {error}"
        ) from error
    if not np.isfinite(rows).all():
        raise UserError(f"{path}: a number is not finite")
    return rows


def _segments(rows: np.ndarray, path: Path) -> np.ndarray:
    if rows.shape[1] not in (2, 4):
        raise UserError(
            f"{path} has {rows.shape[1]} columns; segments in segwizard "
            "format have number, start, stop and duration, or start and stop"
        )
    found = rows if rows.shape[1] == 2 else rows[:, 1:3]
    wrong = found[:, 0] > found[:, 1]
    if rows.shape[1] == 4:
        wrong |= np.abs(found[:, 1] - found[:, 0] - rows[:, 3]) > _ROUNDING
    if wrong.any():
        number = int(np.flatnonzero(wrong)[0])
        raise UserError(
            f"{path}, segment {number + 1}: {rows[number].tolist()} does not "
            "end after it starts, or has another duration"
        )
    return found


def _require(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
