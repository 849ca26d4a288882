"""Which spans of time are analysed: query, split, intersect."""

import math
from collections.abc import Sequence
from itertools import pairwise

from conventions.errors import UserError
from conventions.segments import Segment, show, validate

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
