"""Joins what was found in all segments and shifts."""

from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
from conventions.files import complete
from ledger.events import EventSet, RecoveredInjectionSet
from ledger.injections import InjectionMetadata
from ledger.livetime import LivetimeSet

from infer.settings import SearchSettings
from infer.timeseries import SeriesIndex


def merge(
    *,
    backgrounds: Iterable[Path],
    foregrounds: Iterable[Path],
    zero_lags: Iterable[Path],
    livetimes: Iterable[Path],
    output_dir: Path,
    settings: SearchSettings,
    injections: Path | None = None,
    timeseries: Iterable[Path] = (),
) -> None:
    """Join the tables of all segments and shifts.

    Writes ``background.hdf5``, ``foreground.hdf5`` and ``0lag.hdf5``, each
    sorted by the detection statistic, ``livetime.hdf5``, with series also
    their index ``timeseries.hdf5``, and, last, ``settings.json``. Tables
    are joined block by block; sorting holds one column at a time.

    Args:
        backgrounds: events of the time-slides.
        foregrounds: recovered injections.
        zero_lags: events of the unshifted data.
        livetimes: stretches analysed, of the unshifted data too, whose
            files say what each slide was searched with.
        output_dir: where the tables go.
        settings: what the events were found with.
        injections: the injection file, whose count of draws, kept and
            rejected, the merged foreground takes over.
        timeseries: network outputs that were kept.

    Raises:
        UserError: if a file is missing, truncated or foreign, or a slide
            was searched with other settings, naming the slide, each setting
            and both values.
    """
    output_dir = Path(output_dir)
    livetimes = list(livetimes)
    for path in livetimes:
        settings.check_slide(Path(path))
    drawn = None
    if injections is not None:
        drawn = InjectionMetadata.read(injections).num_injections
    _join(EventSet, backgrounds, output_dir / "background.hdf5")
    _join(
        RecoveredInjectionSet,
        foregrounds,
        output_dir / "foreground.hdf5",
        drawn,
    )
    _join(EventSet, zero_lags, output_dir / "0lag.hdf5")
    LivetimeSet.aggregate(livetimes, output_dir / "livetime.hdf5")
    if series := list(timeseries):
        SeriesIndex.of(series).write(output_dir / "timeseries.hdf5")
    settings.write(output_dir / "settings.json")


def _join(
    kind: type[EventSet],
    files: Iterable[Path],
    target: Path,
    num_injections: int | None = None,
) -> None:
    with complete(target) as temporary:
        kind.aggregate(files, temporary)
        with h5py.File(temporary, "a") as file:
            _sort(file["parameters"], "detection_statistic")
            if num_injections is not None:
                file.attrs["num_injections"] = num_injections


def _sort(columns: h5py.Group, by: str) -> None:
    """Sort the rows of all columns by one of them, a column at a time."""
    order = np.argsort(columns[by][:], kind="stable")
    for column in columns.values() if len(order) else ():
        column[...] = column[:][order]
