"""How long do tables and statistics take at the size of a year of search?

    python benchmarks/statistics.py [--only NAME ...] [--scale 1.0]

Prints one table. Every operation runs once, without warm-up, in a process of
its own on one core. Seconds count the operation alone: its inputs are made
before. Memory is the highest resident size of the whole process: interpreter,
inputs and results. The ratio is to a straightforward baseline that runs after
it in the same process, at a size where it finishes, scaled by its complexity.
The files lie in the temporary directory (``TMPDIR``), which needs 20 GB at
full scale. Exit status 1 says that a target was missed. Targets of FAR are for
events in the order in which a search leaves them.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from ledger.events import EventSet, RecoveredInjectionSet
from ledger.injections import (
    InterferometerResponseSet,
    waveform_class_factory,
)
from ledger.ledger import Ledger
from p_astro import Pastro
from p_astro.background import KdeAndPolynomialBackground
from p_astro.foreground import KdeForeground
from plots.volume import RecoveredStatistics, Weights
from scipy.stats import gaussian_kde

BLOCK = 2**20
RATE, DURATION, RIGHT_PAD = 2048.0, 8.0, 0.5
WAVEFORM = int(RATE * DURATION)
SPACING = 20.0
Responses = waveform_class_factory(
    ["H1", "L1"], InterferometerResponseSet, "Responses"
)
MADE = {
    "sample_rate": RATE,
    "duration": DURATION,
    "right_pad": RIGHT_PAD,
    "ifos": ["H1", "L1"],
}


@dataclass(frozen=True)
class Case:
    """An operation on its inputs, and what it is compared with.

    Attributes:
        size: of the inputs, in words.
        run: the operation.
        baseline: does the same the straightforward way, or a part of it.
        factor: by how much the baseline would take longer for all of it.
    """

    size: str
    run: Callable[[], object]
    baseline: Callable[[], object]
    factor: float


@dataclass(frozen=True)
class Entry:
    """A row of the table.

    Attributes:
        operation: in words.
        make: makes the inputs, given the scale and an empty folder.
        seconds: target, if there is one.
        memory: target in GB, if there is one.
    """

    operation: str
    make: Callable[[float, Path], Case]
    seconds: float | None = None
    memory: float | None = None


def scaled(number: float, scale: float, least: int = 10) -> int:
    """Scale the size of an input."""
    return max(round(number * scale), least)


def short(number: int) -> str:
    """Write a large number as 1e8."""
    return f"{number:.0e}".replace("e+0", "e")


def drawn(
    count: int, draw: Callable[[int], np.ndarray], width: int | None = None
) -> np.ndarray:
    """Draw numbers in blocks, so that making them takes no more memory."""
    values = np.zeros(count if width is None else (count, width))
    column = values if width is None else values[:, -1]
    for start in range(0, count, BLOCK):
        block = column[start : start + BLOCK]
        block[:] = draw(len(block))
    return values


def make_events(count: int, shifts: int, duration: float) -> EventSet:
    """Make events of two ifos in random order."""
    rng = np.random.default_rng(1)
    return EventSet(
        detection_statistic=drawn(count, rng.standard_normal),
        detection_time=drawn(count, lambda n: rng.uniform(0, duration, n)),
        shift=drawn(count, lambda n: rng.integers(1, shifts + 1, n), 2),
        Tb=shifts * duration,
    )


def make_rows(cls: type[Ledger], count: int) -> dict[str, np.ndarray]:
    """Make the parameters of a table of injections."""
    rng = np.random.default_rng(2)
    wide = ("shift", "ifo_snrs")
    return {
        name: drawn(count, rng.random, 2 if name in wide else None)
        for name, kind in cls.columns().items()
        if kind == "parameter"
    }


def far_case(scale: float, ordered: bool, remembered: bool) -> Case:
    """FAR of many thresholds: counts among all events."""
    count, thresholds = scaled(1e8, scale), scaled(1e6, scale)
    events = make_events(count, 500, 2e5)
    if ordered:
        events.detection_statistic.sort()
    wanted = np.random.default_rng(3).standard_normal(thresholds)
    if remembered:
        events.far(0.0)

    def baseline() -> None:
        for threshold in wanted[:10]:
            np.count_nonzero(events.detection_statistic >= threshold)

    return Case(
        f"{short(thresholds)} thresholds, {short(count)} events",
        lambda: events.far(wanted),
        baseline,
        thresholds / len(wanted[:10]),
    )


def vetoes(scale: float, folder: Path) -> Case:
    """Events in random order against overlapping intervals."""
    count, intervals = scaled(1e7, scale), scaled(1e5, scale)
    span = 3e7
    events = make_events(count, 500, span)
    rng = np.random.default_rng(4)
    start = rng.uniform(0, span, intervals)
    length = rng.uniform(0, span / intervals / 2, intervals)
    vetos = np.column_stack([start, start + length])
    some, few = events.detection_time[:10_000], vetos[:1000]

    def baseline() -> None:
        times = some[:, None]
        np.any((few[:, 0] <= times) & (times < few[:, 1]), axis=1)

    return Case(
        f"{short(count)} events, {short(intervals)} intervals",
        lambda: events.apply_vetos(vetos, 1),
        baseline,
        count / len(some) * intervals / len(few),
    )


def recovery(scale: float, folder: Path) -> Case:
    """The nearest event of each injection in its shift."""
    count, number = scaled(1e7, scale), scaled(1e6, scale)
    shifts = scaled(500, scale, least=5)
    span = 2e5
    events = make_events(count, shifts, span)
    columns = make_rows(InterferometerResponseSet, number)
    rng = np.random.default_rng(5)
    columns["injection_time"] = rng.uniform(0, span, number)
    columns["shift"] = drawn(
        number, lambda n: rng.integers(1, shifts + 1, n), 2
    )
    injections = InterferometerResponseSet(
        **columns, **MADE, num_injections=number
    )

    def baseline() -> None:
        here = (events.shift == [0, 1]).all(axis=1)
        times = events.detection_time[here]
        mine = (injections.shift == [0, 1]).all(axis=1)
        wanted = injections.injection_time[mine]
        np.abs(wanted[:, None] - times).argmin(axis=1)

    return Case(
        f"{short(number)} injections, {short(count)} events, {shifts} shifts",
        lambda: RecoveredInjectionSet.recover(events, injections),
        baseline,
        shifts,
    )


def volume(scale: float, folder: Path) -> Case:
    """Volume and error at all thresholds for four populations."""
    number, thresholds = scaled(1e6, scale), scaled(1e5, scale)
    rng = np.random.default_rng(6)
    statistics = rng.standard_normal(number)
    statistics[::3] = -np.inf
    weights = [
        Weights.from_logarithms(
            rng.standard_normal(number), rng.standard_normal(number)
        )
        for _ in range(4)
    ]
    wanted = rng.standard_normal(thresholds)

    def run() -> None:
        recovered = RecoveredStatistics(statistics)
        for weight in weights:
            recovered.volume(weight, wanted, 1.0)

    def baseline() -> None:
        kept = weights[0].kept
        for threshold in wanted[:10]:
            found = statistics >= threshold
            fraction = kept[found].sum()
            np.sum(kept**2 * (found - fraction) ** 2)

    return Case(
        f"{short(number)} injections, {short(thresholds)} thresholds, "
        f"{len(weights)} populations",
        run,
        baseline,
        len(weights) * thresholds / len(wanted[:10]),
    )


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


def reading(scale: float, folder: Path, cold: bool) -> Case:
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


def injecting(scale: float, folder: Path) -> Case:
    """Signals every 4 s, each 8 s long, in one segment."""
    count = scaled(1000, scale)
    samples = int(scaled(20_000, scale, least=100) * RATE)
    columns = make_rows(Responses, count)
    columns["injection_time"] = 8 + 4.0 * np.arange(count) + 1 / 3
    rng = np.random.default_rng(8)
    for name in ("h1", "l1"):
        columns[name] = rng.standard_normal((count, WAVEFORM), np.float32)
    injections = Responses(**columns, **MADE, num_injections=count)
    x = np.zeros((2, samples), dtype=np.float32)

    def baseline() -> None:
        first = (injections.injection_time - DURATION + RIGHT_PAD) * RATE
        index = np.rint(first).astype(int)[:, None] + np.arange(WAVEFORM)
        for channel, name in zip(x.copy(), ("h1", "l1"), strict=True):
            np.add.at(channel, index, getattr(injections, name))

    return Case(
        f"{count} signals, {samples / RATE:.0f} s of two ifos",
        lambda: injections.inject(x, 0.0),
        baseline,
        1.0,
    )


def p_astro(scale: float, folder: Path) -> Case:
    """Evaluate p_astro, as often as there are background events."""
    count = scaled(1e6, scale, 1000)
    few = scaled(300, scale)
    rng = np.random.default_rng(8)
    noise, found = (
        rng.standard_normal(count),
        rng.normal(3, 2, count // 10 + 1000),
    )
    signals = KdeForeground.from_arrays(
        found, np.full(found.size, 0.5 / found.size), 100.0, 30.0
    )
    model = Pastro(signals, KdeAndPolynomialBackground.from_arrays(noise, 1e7))
    statistics = rng.uniform(-4, 8, count)

    def baseline() -> None:
        kernels = gaussian_kde(found), gaussian_kde(noise)
        f, b = (kernel(statistics[:few]) for kernel in kernels)
        f / (f + b)

    return Case(
        f"{short(count)} statistics, as many background events",
        lambda: model(statistics),
        baseline,
        count / few,
    )


ENTRIES = {
    "far": Entry(
        "FAR, events sorted as a search leaves them",
        lambda scale, folder: far_case(scale, True, False),
        3,
        4,
    ),
    "far-unsorted": Entry(
        "FAR, unsorted events, first call",
        lambda scale, folder: far_case(scale, False, False),
    ),
    "far-again": Entry(
        "FAR, unsorted events, second call, which keeps a sorted copy",
        lambda scale, folder: far_case(scale, False, True),
    ),
    "vetoes": Entry("vetoes", vetoes, 2),
    "recovery": Entry("recovery of injections", recovery, 10, 2),
    "volume": Entry("sensitive volume", volume, 2),
    "aggregation": Entry("aggregation of files", aggregation, 30),
    "read-cold": Entry(
        "reading a selection, page cache dropped",
        lambda scale, folder: reading(scale, folder, True),
        1,
    ),
    "read-warm": Entry(
        "reading a selection again",
        lambda scale, folder: reading(scale, folder, False),
        1,
    ),
    "inject": Entry("inject overlapping signals", injecting, 2),
    "p_astro": Entry("p_astro, model made before", p_astro, 5),
}


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def measure(name: str, scale: float) -> dict[str, float | str]:
    """Measure one operation, then its baseline, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        case = ENTRIES[name].make(scale, Path(folder))
        took = seconds(case.run)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        baseline = seconds(case.baseline) * case.factor
    return {
        "size": case.size,
        "seconds": took,
        "memory": peak * 1024 / 1e9,
        "ratio": baseline / took,
    }


def in_child(*arguments: str) -> str:
    """Run this file in a fresh process, on this one's core.

    The child's path lacks this folder, where a file has the name of a module
    of the standard library.
    """
    command = [sys.executable, "-P", __file__, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: failed, see above")
    return done.stdout.decode()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=ENTRIES, default=ENTRIES)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    scale = arguments.scale
    if not 0 < scale <= 1:
        parser.error(f"--scale {scale}: more than 0 and at most 1 is accepted")
    if arguments.child == "touch":
        # A virtual machine gets memory from its host when it first touches
        # it, which can take longer than the operations.
        np.ones(round(6e8 * scale))
        return 0
    if arguments.child:
        print(json.dumps(measure(arguments.child, scale)))
        return 0
    cores = sorted(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    os.sched_setaffinity(0, cores[-1:])
    print(
        f"One of {len(cores)} cores, {memory:.0f} GB of memory, "
        f"Python {platform.python_version()}, numpy {np.__version__}, "
        f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, "
        f"scale {scale:g}\n"
    )
    print("| operation | size | s | target | GB | target | ratio |")
    print("|---|---|---|---|---|---|---|", flush=True)
    in_child("--child", "touch", "--scale", str(scale))
    missed = False
    for name in arguments.only:
        entry = ENTRIES[name]
        row = json.loads(in_child("--child", name, "--scale", str(scale)))
        missed |= any(
            target is not None and row[name] >= target
            for name, target in (
                ("seconds", entry.seconds),
                ("memory", entry.memory),
            )
        )
        print(
            f"| {entry.operation} | {row['size']} | {row['seconds']:.3g} | "
            f"{entry.seconds or ''} | {row['memory']:.3g} | "
            f"{entry.memory or ''} "
            f"| {row['ratio']:.2g} |",
            flush=True,
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
