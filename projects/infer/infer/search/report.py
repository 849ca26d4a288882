"""Tells what a search found: on the terminal and in files."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from conventions.files import complete
from gwpy.time import from_gps
from ledger.events import EventSet

from infer.search import rates
from infer.search.analysis import Analysis
from infer.search.run import P_ASTRO, Run

COLUMNS = (
    "gps_time",
    "utc",
    "detection_statistic",
    "far_per_year",
    "far_is_upper_limit",
    "false_alarm_probability",
    "p_astro",
)


@dataclass(frozen=True)
class Found:
    """Events with what the run's background says about them.

    Attributes:
        events: loudest first.
        far: in 1/yr, of shape ``(event,)``.
        floor: smallest FAR that the background resolves, in 1/yr.
        beyond: whether an event is louder than all of the background, so
            that its FAR is only known to be at most ``floor``; of shape
            ``(event,)``.
        probability: that noise alone makes an event as loud in the time
            analysed, of shape ``(event,)``.
        p_astro: probability that an event is astrophysical, of shape
            ``(event,)``; None without a model.
        astro_event_rate: mergers per Gpc^3 and year that ``p_astro``
            assumes; None without a model.
    """

    events: EventSet
    far: np.ndarray
    floor: float
    beyond: np.ndarray
    probability: np.ndarray
    p_astro: np.ndarray | None
    astro_event_rate: float | None


def assess(analysis: Analysis, run: Run) -> Found:
    """Give each event a false-alarm rate and probabilities.

    The rate is science.md's FAR, the probability its significance over the
    time analysed (arXiv:1508.02357, eq. 17). p_astro is that of the run's
    model.

    Args:
        analysis: of the strain.
        run: whose background calibrates.
    """
    events = analysis.events
    statistic = events.detection_statistic
    model = run.p_astro
    return Found(
        events,
        run.background.far(statistic),
        run.background.min_far,
        run.background.nb(statistic) == 0,
        run.background.significance(statistic, analysis.livetime),
        None if model is None else model(statistic),
        None if model is None else model.foreground_model.astro_event_rate,
    )


def write(found: Found, directory: Path) -> list[Path]:
    """Write all events as ``events.csv`` and ``events.hdf5``.

    Args:
        found: the events.
        directory: for the files, made if needed.

    Returns:
        The files.
    """
    table, ledger = directory / "events.csv", directory / "events.hdf5"
    p_astro = found.p_astro
    with (
        complete(table) as temporary,
        temporary.open("w", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for i in range(len(found.events)):
            writer.writerow(
                (
                    f"{found.events.detection_time[i]:.4f}",
                    _utc(found.events.detection_time[i]),
                    f"{found.events.detection_statistic[i]:.6g}",
                    f"{found.far[i]:.6g}",
                    str(bool(found.beyond[i])).lower(),
                    f"{found.probability[i]:.6g}",
                    "" if p_astro is None else f"{p_astro[i]:.6g}",
                )
            )
    found.events.write(ledger)
    return [table, ledger]


def table(found: Found, far_limit: float) -> str:
    """The events up to a FAR, and always the loudest, as text.

    Args:
        found: the events.
        far_limit: in 1/yr.

    Returns:
        Lines of a table and sentences that say what it means.
    """
    if len(found.events) == 0:
        return "No event: the network's output has no peak."
    listed = np.flatnonzero(found.far <= far_limit)
    p_astro = found.p_astro
    rows = [
        ("", "GPS time", "UTC", "statistic", "FAR", "by chance", "p_astro")
    ]
    rows += [
        (
            "*" if i == 0 else "",
            f"{found.events.detection_time[i]:.3f}",
            _utc(found.events.detection_time[i]),
            f"{found.events.detection_statistic[i]:.3f}",
            rates.show(found.far[i], at_most=bool(found.beyond[i])),
            f"{found.probability[i]:.2g}",
            "unknown" if p_astro is None else f"{p_astro[i]:.2g}",
        )
        for i in sorted({0, *listed.tolist()})
    ]
    notes = ["* the loudest event"]
    if found.beyond[0]:
        notes.append(
            "<= louder than all of the run's background: its livetime "
            f"resolves no smaller rate than {rates.show(found.floor)}"
        )
    notes.append(
        "by chance: probability that noise alone does this or more in the "
        "time analysed"
    )
    notes.append(_p_astro(found))
    return "\n".join(
        [*_columns(rows), *notes, "", _verdict(found, listed, far_limit)]
    )


def _p_astro(found: Found) -> str:
    if found.p_astro is None:
        return (
            f"p_astro: the run has no {P_ASTRO}, which the task "
            "aframe.SensitiveVolume makes where there are enough events"
        )
    return (
        "p_astro: probability that the event is astrophysical, with "
        f"{found.astro_event_rate:g} mergers per Gpc^3 and year like the "
        "run's injections"
    )


def _verdict(found: Found, listed: np.ndarray, far_limit: float) -> str:
    limit = rates.show(far_limit)
    count = len(found.events)
    if len(listed):
        verb = "has" if len(listed) == 1 else "have"
        return (
            f"{len(listed)} of {count} events {verb} a FAR of at most {limit}."
        )
    return (
        f"Nothing significant: none of {count} events has a FAR of at most "
        f"{limit}. Noise makes an event like the loudest "
        f"{rates.show(found.far[0])}."
    )


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _utc(gps: float) -> str:
    return f"{from_gps(gps):%Y-%m-%d %H:%M:%S.%f}"[:-3]
