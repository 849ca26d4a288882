"""How fast is inference, compared with the network alone?

    python benchmarks/inference.py [--network demo] [--seconds 1088]
        [--batch-size 128] [--slides 8] [--repeats 3] [--device cpu]

Searches one segment of noise at several shifts, from the background file to
the tables of events, in this process and through the Triton server, and
prints network outputs a second. The first row is the network alone on kernels
in memory, in the engines' arithmetic, at the best of many batch sizes. It is
measured again between all other rows, which take turns: a ratio is to what it
reached just before and after, since machines that are shared are not equally
fast all the time. Of the repeats the one with the median ratio is shown.

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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import infer.pipeline
import numpy as np
import torch
from alone import Alone
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


@dataclass
class Row:
    """One line of the table.

    Attributes:
        label: what was measured.
        rate: outputs a second.
        alone: those of the network alone at the same time.
        kernels: evaluated for an output; on a GPU without those that make
            batches come in few sizes.
        sent: bytes sent to a server for a second of data.
        stages: seconds of work in each stage.
    """

    label: str
    rate: float
    alone: float = 0.0
    kernels: float = 1.0
    sent: float | None = None
    stages: Counter[str] | None = None

    @property
    def ratio(self) -> float:
        """To the network alone."""
        return self.rate / self.alone

    def cells(self) -> list[str]:
        """What the table shows of it."""
        sent = "" if self.sent is None else f"{self.sent / 1000:.1f}"
        shares = [""] * len(STAGES)
        if self.stages is not None:
            total = sum(self.stages.values())
            shares = [f"{self.stages[name] / total:.1%}" for name in STAGES]
        return [
            self.label,
            f"{self.rate:.0f}",
            f"{self.ratio:.2f}",
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
    return Row(label, count / seconds, kernels=share, sent=0.0, stages=spent)


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
    return Row(
        label,
        rate,
        kernels=search.served(),
        sent=search.sent(injected),
        stages=spent,
    )


def measure(search: Search, repeats: int, device: str) -> list[Row]:
    """All rows, each with the network alone just before and after it."""
    cpu = device == "cpu"
    network = Alone(
        search.folder / "training" / "model.pt",
        torch.device(device),
        list(search.manifest.inputs[0].shape),
    )
    turns: list[list[Row]] = []
    with serve(
        search.folder / "repository",
        triton_root=ROOT / ".triton",
        log_file=search.folder / "server.log",
        gpus="" if cpu else "0",
    ) as server:
        cores = CORES if cpu else 1
        searches: list[Callable[[], Row]] = [
            *(partial(direct, search, device, one) for one in (False, True)),
            *(
                partial(served, search, str(server), streams, one, cores)
                for streams in STREAMS
                for one in (False, True)
            ),
        ]
        # The first turn warms everything up.
        for _ in range(repeats + 1):
            turns.append([])
            before = network.rate()
            for run in searches:
                found = run()
                after = network.rate()
                found.alone = (before + after) / 2
                before = after
                turns[-1].append(found)
    rows = [typical(repeated) for repeated in zip(*turns[1:], strict=True)]
    rates = [row.alone for turn in turns[1:] for row in turn]
    rate = float(np.median(rates))
    return [Row(f"network alone ({network.best})", rate, rate), *rows]


def typical(repeats: Sequence[Row]) -> Row:
    """The one whose ratio is in the middle."""
    return sorted(repeats, key=lambda row: row.ratio)[len(repeats) // 2]


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
        row(*one.cells())


if __name__ == "__main__":
    main()
