"""How fast is inference, compared with the network alone?

    python benchmarks/inference.py [--network demo] [--seconds 1088]
        [--batch-size 128] [--slides 8] [--repeats 3] [--device cpu]

Searches one segment of noise at several shifts, from the background file to
the tables of events, in this process and through the Triton server, and
prints network outputs a second. The first row is the network alone on kernels
in memory, in the engines' arithmetic, at the best of many batch sizes, and all
ratios are to it. Each number is the best of the repeats, in which the rows
take turns.

Rows count outputs that were delivered. The column of kernels says how many the
network evaluated for each: in this process fewer than one with injections,
since kernels without a signal are the background's; through the server more
than one, since the burn-in and what pads requests are evaluated, too.
"""

import argparse
import os
import platform
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import infer.pipeline
import torch
from export.main import export
from infer.direct import DirectEngine
from infer.lockstep import Lockstep
from infer.monitor import MODEL, monitor
from infer.network import Network
from infer.server import serve
from infer.slides import SlideSearch, SlideStrain
from infer.triton_engine import TritonEngine
from networks import CASES
from segment import (
    RATE,
    Search,
    train,
    write_background,
    write_injections,
)
from table import head, row

ROOT = Path(__file__).resolve().parents[1]
PSD_LENGTH = 64.0
STREAMS = (1, 2, 4, 8)
STAGES = ("read", "preprocess", "network", "postprocess")
CORES = len(os.sched_getaffinity(0))
FINALISTS = 3
"""Batch sizes of the network alone that are measured for longer."""
SUSTAINED_SECONDS = 3.0


@dataclass
class Row:
    """One line of the table.

    Attributes:
        label: what was measured.
        rate: outputs a second.
        kernels: evaluated for an output; on a GPU without those that make
            batches come in few sizes.
        sent: bytes sent to a server for a second of data.
        stages: seconds of work in each stage.
    """

    label: str
    rate: float
    kernels: float = 1.0
    sent: float | None = None
    stages: Counter[str] | None = None

    def cells(self, baseline: float) -> list[str]:
        """What the table shows of it."""
        sent = "" if self.sent is None else f"{self.sent / 1000:.1f}"
        shares = [""] * len(STAGES)
        if self.stages is not None:
            total = sum(self.stages.values())
            shares = [f"{self.stages[name] / total:.1%}" for name in STAGES]
        ratio = f"{self.rate / baseline:.2f}"
        return [
            self.label,
            f"{self.rate:.0f}",
            ratio,
            f"{self.kernels:.2f}",
            sent,
            *shares,
        ]


@contextmanager
def timed(places: dict[tuple[Any, str], str]) -> Iterator[Counter[str]]:
    """Sum up the processor seconds that functions take, by stage.

    Args:
        places: the stage of each owner and name of a function.
    """
    spent: Counter[str] = Counter()
    lock = threading.Lock()
    originals = {place: getattr(*place) for place in places}

    def watched(function: Callable, stage: str) -> Callable:
        def call(*args: Any, **kwargs: Any) -> Any:
            began = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                with lock:
                    spent[stage] += time.thread_time() - began

        return call

    for place, original in originals.items():
        setattr(*place, watched(original, places[place]))
    try:
        yield spent
    finally:
        for place, original in originals.items():
            setattr(*place, original)


def alone(weights: Path, device: torch.device, shape: list[int]) -> Row:
    """The network on kernels in memory, at its best batch size.

    Those that are fastest in short trials are measured for longer.
    """
    network = torch.jit.load(weights, map_location=device).eval()
    cpu = device.type == "cpu"
    sizes = (8, 16, 32, 64, 128, 256, 512) if cpu else (256, 1024, 2048, 4096)
    total = max(sizes) * (4 if cpu else 8)
    kernels = torch.randn(total, *shape, device=device)
    pool = ThreadPoolExecutor(
        CORES, initializer=torch.set_num_threads, initargs=(1,)
    )

    def evaluate(batch: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return network(batch)

    def seconds(way: Callable[[int], object], size: int) -> float:
        began = time.perf_counter()
        way(size)
        if not cpu:
            torch.cuda.synchronize(device)
        return time.perf_counter() - began

    ways: dict[str, Callable[[int], object]] = {
        "torch's own threads": lambda size: [
            evaluate(batch) for batch in kernels.split(size)
        ]
    }
    if cpu:
        ways["a batch to a thread"] = lambda size: list(
            pool.map(evaluate, kernels.split(size))
        )
    trials = []
    # As the engines set it: torch alone would take TF32 on a GPU.
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=True, deterministic=False, allow_tf32=False
    ):
        for name, way in ways.items():
            for size in sizes:
                seconds(way, size)
                label = f"batches of {size}, {name}"
                trials.append((seconds(way, size), label, way, size))
        rates = {}
        finalists = sorted(trials, key=itemgetter(0))[:FINALISTS]
        for took, label, way, size in finalists:
            rounds = max(1, round(SUSTAINED_SECONDS / took))
            spent = sum(seconds(way, size) for _ in range(rounds))
            rates[label] = rounds * total / spent
    best = max(rates, key=rates.__getitem__)
    return Row(f"network alone ({best})", rates[best])


def direct(search: Search, device: str, injected: bool) -> Row:
    """The search in this process."""
    engine = DirectEngine(search.folder / "training", search.manifest, device)
    places = {
        (Lockstep, "read"): "read",
        (infer.pipeline, "_whiten"): "preprocess",
        (Network, "_evaluate"): "network",
        (SlideSearch, "feed"): "postprocess",
    }
    launch, evaluated = engine.network.launch, Counter[str]()

    def counted(pool: Any, kernels: Any, index: torch.Tensor) -> Any:
        evaluated["kernels"] += len(index)
        return launch(pool, kernels, index)

    engine.network.launch = counted
    with timed(places) as spent:
        seconds = search.run(engine, injected)
    label = "direct, with injections" if injected else "direct"
    count = search.count(injected)
    share = evaluated["kernels"] / count
    return Row(label, count / seconds, share, 0.0, spent)


def served(
    search: Search, address: str, streams: int, injected: bool, cores: int
) -> Row:
    """The search through a server, some slides at once."""
    log = search.folder / "statistics.csv"
    places = {
        (SlideStrain, "read"): "read",
        (SlideSearch, "feed"): "postprocess",
    }
    with (
        monitor(address, log, interval=1.0) as watched,
        TritonEngine(address, search.manifest, streams=streams) as engine,
        timed(places) as spent,
    ):
        seconds = search.run(engine, injected)
    for name, counts in watched.models.items():
        if name == "aframe":
            spent["network"] += counts.busy * cores
        elif name != MODEL:
            spent["preprocess"] += counts.busy
    label = f"Triton, streams: {streams}"
    label += ", with injections" if injected else ""
    rate = search.count(injected) / seconds
    return Row(label, rate, search.served(), search.sent(injected), spent)


def best_of(rows: list[list[Row]]) -> list[Row]:
    """The fastest of the repeats of each row."""
    return [
        max(turns, key=lambda row: row.rate)
        for turns in zip(*rows, strict=True)
    ]


def measure(search: Search, repeats: int, device: str) -> list[Row]:
    """All rows."""
    shape = list(search.manifest.inputs[0].shape)
    weights = search.folder / "training" / "model.pt"
    cpu = device == "cpu"
    turns = []
    with serve(
        search.folder / "repository",
        triton_root=ROOT / ".triton",
        log_file=search.folder / "server.log",
        gpus="" if cpu else "0",
    ) as server:
        # The first turn warms everything up.
        for _ in range(repeats + 1):
            rows = [alone(weights, torch.device(device), shape)]
            for injected in (False, True):
                rows.append(direct(search, device, injected))
            for streams in STREAMS:
                for injected in (False, True):
                    rows.append(
                        served(
                            search,
                            str(server),
                            streams,
                            injected,
                            CORES if cpu else 1,
                        )
                    )
            turns.append(rows)
    return best_of(turns[1:])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=CASES, default="demo")
    parser.add_argument("--seconds", type=int, default=1088)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--slides", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    case = CASES[arguments.network]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(folder / "training", case)
        manifest = export(
            folder / "training",
            folder / "repository",
            psd_length=PSD_LENGTH,
            inference_sampling_rate=RATE,
            batch_size=arguments.batch_size,
            streams_per_gpu=max(STREAMS),
        )
        size = case.sample_rate, arguments.seconds
        write_background(folder / "background.hdf5", *size)
        write_injections(folder / "injections.hdf5", *size, arguments.slides)
        search = Search(folder, manifest, arguments.seconds, arguments.slides)
        rows = measure(search, arguments.repeats, arguments.device)
        print(
            f"{arguments.network} network, {search.count(False)} outputs a "
            f"stream, {arguments.slides} slides, requests of "
            f"{arguments.batch_size} outputs; {CORES} cores, "
            f"{arguments.device}, torch {torch.__version__}, "
            f"Python {platform.python_version()}\n"
        )
    columns = "outputs/s", "ratio", "kernels/output", "kB sent/s of data"
    head("", *columns, *STAGES)
    for one in rows:
        row(*one.cells(rows[0].rate))


if __name__ == "__main__":
    main()
