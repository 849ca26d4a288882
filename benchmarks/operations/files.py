"""Operations on files."""

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
from case import MADE, WAVEFORM, Case, Responses, make_rows, scaled
from ledger.events import RecoveredInjectionSet
from ledger.ledger import Ledger

SPACING = 20.0


def aggregation(scale: float, folder: Path) -> Case:
    """Small files of recovered injections, of 0 to 20 rows."""
    cls, count = RecoveredInjectionSet, scaled(1e4, scale)
    for rows in range(21):
        columns = make_rows(cls, rows)
        table = cls(**columns, **MADE, Tb=1.0, num_injections=100)
        table.write(folder / f"rows-{rows}.hdf5")
    files = [folder / f"{number}.hdf5" for number in range(count)]
    for number, file in enumerate(files):
        shutil.copy(folder / f"rows-{8 * number % 21}.hdf5", file)
    some = files[: max(count // 20, 1)]

    def baseline() -> None:
        tables = []
        for source in some:
            with h5py.File(source) as file:
                parameters = file["parameters"]
                tables.append({name: parameters[name][:] for name in columns})
        with h5py.File(folder / "baseline.hdf5", "w") as file:
            for name in columns:
                joined = np.concatenate([table[name] for table in tables])
                file.create_dataset(f"parameters/{name}", data=joined)

    return Case(
        f"{count} files, {len(columns)} columns",
        lambda: cls.aggregate(files, folder / "all.hdf5"),
        baseline,
        count / len(some),
    )


def forget(path: Path) -> None:
    """Drop a file from the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _reading(scale: float, folder: Path, cold: bool) -> Case:
    """Waveforms of one segment and shift, out of many of each."""
    chosen = scaled(1000, scale)
    row_bytes = 2 * WAVEFORM * np.dtype(np.float32).itemsize
    count = scaled(20e9 / row_bytes, scale, least=5 * chosen)
    free = shutil.disk_usage(folder).free
    if free < 1.1 * count * row_bytes:
        raise SystemExit(
            f"{folder} has {free / 1e9:.1f} GB free, "
            f"{1.1 * count * row_bytes / 1e9:.1f} GB are needed"
        )
    path = folder / "waveforms.hdf5"
    group = np.arange(count) // chosen
    # Five shifts of a segment follow each other, then the next segment.
    columns = make_rows(Responses, count)
    columns["shift"] = np.column_stack([np.zeros(count), 1.0 + group % 5])
    length = chosen * SPACING
    columns["injection_time"] = group // 5 * length + SPACING * (
        np.arange(count) % chosen + 0.5
    )
    rng = np.random.default_rng(7)
    block = rng.standard_normal((1000, WAVEFORM), dtype=np.float32)
    with h5py.File(path, "w") as file:
        file.attrs.update({"length": count, "num_injections": count, **MADE})
        for name, values in columns.items():
            file[f"parameters/{name}"] = values
        for name in ("h1", "l1"):
            dataset = file.create_dataset(
                f"waveforms/{name}", (count, WAVEFORM), np.float32
            )
            for start in range(0, count, len(block)):
                dataset[start : start + len(block)] = block[: count - start]
    segment = int(group[-1] // 5) // 2
    first = 5 * segment * chosen
    few = min(chosen, 100)

    def run() -> Ledger:
        found = Responses.read(
            path, segment * length, (segment + 1) * length - 1, [0, 3]
        )
        assert len(found) == chosen
        return found

    def baseline() -> None:
        if cold:
            forget(path)
        with h5py.File(path) as file:
            for row in range(first, first + few):
                for kind in ("parameters", "waveforms"):
                    for dataset in file[kind].values():
                        dataset[row]

    if cold:
        forget(path)
    else:
        run()
    return Case(
        f"{chosen} of {count} waveforms of two ifos, "
        f"{path.stat().st_size / 1e9:.3g} GB",
        run,
        baseline,
        chosen / few,
    )


def reading_cold(scale: float, folder: Path) -> Case:
    """With the file out of the page cache."""
    return _reading(scale, folder, cold=True)


def reading_warm(scale: float, folder: Path) -> Case:
    """A second time."""
    return _reading(scale, folder, cold=False)
