"""How fast is training, compared with the network alone?

    python benchmarks/training.py [--configuration demo published]
        [--repeats 3] [--device cpu] [--precision 32-true] [--batch-size N]
        [--batches N] [--workers N]

Trains on made-up files with the shipped settings, through Lightning with the
callbacks of a training, and prints samples a second beside those of the bare
network: forward pass, loss, backward pass and optimiser step on fixed tensors,
in the same run. Each number is the best of the repeats, in which the two take
turns. Validation and the start of the workers are not counted.

The last columns say how the work is shared between stages: processor seconds
on a CPU, seconds on a GPU, in batches that are made one after the other
without workers. "read" is from the files to a batch of strain and
polarizations, "transfer" from the worker to the device, "inject" all of
augmenting, projecting, scaling and adding, "whiten" the PSDs and the
whitening, "step" that of the bare network.

On a CPU the published network has smaller batches, as it would take minutes
for one.
"""

import argparse
import importlib
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from table import head, row

# statistics.py beside this file would hide Python's own from Lightning
sys.path.remove(str(Path(__file__).resolve().parent))

import h5py
import lightning
import numpy as np
import torch
import yaml
from lightning.pytorch.callbacks import LearningRateMonitor
from torch import Tensor
from torch.multiprocessing import SimpleQueue
from train.callbacks import EpochSeed, FiniteLoss
from train.data import AframeDataset
from train.logger import MetricsLogger
from train.model import AframeModule

ROOT = Path(__file__).resolve().parents[1]
CORES = len(os.sched_getaffinity(0))
STAGES = ("read", "transfer", "inject", "whiten", "step")
BACKGROUND_SECONDS = 4096
SIGNALS, DURATION, RIGHT_PAD = 2000, 8.0, 2.0
WARM = 5
"""Batches before the clock starts: workers have begun, caches are filled."""


@dataclass(frozen=True)
class Case:
    """A configuration, and how much of it is measured.

    Attributes:
        path: of the YAML file, in the repository.
        batch_size: on a CPU.
        batches: that are timed on a CPU.
    """

    path: str
    batch_size: int
    batches: int


CASES = {
    "demo": Case("aframe/pipelines/sandbox/configs/demo.yaml", 128, 40),
    "published": Case("projects/train/configs/bbh.yaml", 32, 6),
}
BATCHES_ON_GPU = 100


def write_files(folder: Path, rate: float) -> None:
    """Noise and signals, as the pipeline writes them."""
    rng = np.random.default_rng(0)
    name = f"background-1000000000-{BACKGROUND_SECONDS}.hdf5"
    with h5py.File(folder / name, "w") as file:
        for ifo in ("H1", "L1"):
            noise = rng.standard_normal(round(BACKGROUND_SECONDS * rate))
            channel = file.create_dataset(
                ifo, data=1e-21 * noise, chunks=(131_072,)
            )
            channel.attrs.update(x0=1e9, dx=1 / rate)
    groups = {"train": ("plus", "cross"), "val": ("h1", "l1")}
    size = round(DURATION * rate)
    t = np.arange(size) / rate - (DURATION - RIGHT_PAD)
    for group, names in groups.items():
        with h5py.File(folder / f"{group}_waveforms.hdf5", "w") as file:
            file.attrs.update(
                sample_rate=rate, duration=DURATION, right_pad=RIGHT_PAD
            )
            hz = rng.uniform(30, 200, (SIGNALS, 1))
            waves = 1e-21 * np.sin(2 * np.pi * hz * t) * (t < 0)
            for one in names:
                file[f"waveforms/{one}"] = waves.astype(np.float32)


def build(node: Any, **changes: Any) -> Any:
    """What a node of a configuration describes, as Lightning's CLI does."""
    if isinstance(node, list):
        return [build(item) for item in node]
    if not isinstance(node, dict):
        return node
    values = {key: build(value) for key, value in node.items()}
    if "class_path" not in node:
        return values
    module, _, name = node["class_path"].rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    return kind(**(values.get("init_args", {}) | changes))


def synchronise(device: torch.device) -> None:
    """Wait for a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Clock(lightning.Callback):
    """Times a training from its first batches on to its end."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def _now(self) -> float:
        synchronise(self.device)
        return time.perf_counter()

    def on_train_batch_start(self, *args: Any) -> None:
        """Begin, once all is warm."""
        if args[-1] == WARM:
            self.began = self._now()

    def on_train_end(self, *args: Any) -> None:
        """Stop."""
        self.seconds = self._now() - self.began


@dataclass
class Benchmark:
    """One configuration on one device.

    Attributes:
        tree: the configuration.
        folder: of all files.
        device: that trains.
        precision: Lightning's name of it.
        batch_size: samples in a batch.
        batches: that are timed.
        workers: processes that read.
    """

    tree: dict[str, Any]
    folder: Path
    device: torch.device
    precision: str
    batch_size: int
    batches: int
    workers: int

    def data(self, workers: int) -> AframeDataset:
        """The data module."""
        return build(
            self.tree["data"],
            background_dir=str(self.folder),
            waveforms_dir=str(self.folder),
            batch_size=self.batch_size,
            batches_per_epoch=self.batches + WARM,
            num_workers=workers,
            min_valid_duration=600,
            valid_livetime=600,
        )

    def module(self) -> AframeModule:
        """The network in its Lightning module."""
        torch.manual_seed(0)
        node = self.tree["model"]
        init = node["init_args"]
        arch = build(init["arch"], num_ifos=2)
        return build(node | {"init_args": init | {"arch": None}}, arch=arch)

    def loop(self) -> float:
        """Samples a second of a training."""
        clock = Clock(self.device)
        trainer = lightning.Trainer(
            accelerator="cpu" if self.device.type == "cpu" else "gpu",
            devices=1,
            precision=self.precision,
            max_epochs=1,
            limit_val_batches=0,
            log_every_n_steps=20,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            default_root_dir=self.folder,
            logger=MetricsLogger(self.folder),
            callbacks=[
                LearningRateMonitor("step"),
                EpochSeed(0),
                FiniteLoss(self.folder),
                clock,
            ],
        )
        trainer.fit(self.module(), self.data(self.workers))
        return self.batches * self.batch_size / clock.seconds

    def stepper(self, batch: Sequence[Tensor]) -> Callable[[], None]:
        """One step of the bare network on a batch."""
        module = self.module().to(self.device).train()
        *X, y = (tensor.to(self.device) for tensor in batch)
        optimiser = torch.optim.AdamW(module.parameters(), lr=1e-3)
        kinds = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}
        kind = kinds.get(self.precision)
        scaler = torch.amp.GradScaler(
            self.device.type, enabled=self.precision == "16-mixed"
        )

        def step() -> None:
            optimiser.zero_grad()
            with torch.autocast(
                self.device.type, kind, enabled=kind is not None
            ):
                loss = module.loss(X, y)
            scaler.scale(loss).backward()
            scaler.step(optimiser)
            scaler.update()

        return step

    def bare(self, batch: Sequence[Tensor]) -> float:
        """Samples a second of the network alone."""
        step = self.stepper(batch)
        for _ in range(WARM):
            step()
        synchronise(self.device)
        began = time.perf_counter()
        for _ in range(self.batches):
            step()
        synchronise(self.device)
        return self.batches * self.batch_size / (time.perf_counter() - began)

    def prepare(
        self, data: AframeDataset, index: int, spent: Counter[str]
    ) -> Sequence[Tensor]:
        """A batch, with the time of each stage but the step."""
        queue, cpu = SimpleQueue(), self.device.type == "cpu"

        def send(sent: Any) -> Any:
            queue.put(sent)
            received = queue.get()
            return received if cpu else _move(received, self.device)

        with self.clocked(spent, "read"):
            raw = data.train_set[index]
        if not cpu:
            with self.clocked(spent, "transfer"):
                raw = send(raw)
        before = spent["whiten"]
        with self.clocked(spent, "inject"):
            batch = data.training_batch(raw, 0)
        spent["inject"] -= spent["whiten"] - before
        if cpu:
            with self.clocked(spent, "transfer"):
                batch = send(batch)
        return batch

    def stages(self) -> Counter[str]:
        """Seconds of work in each stage of a batch."""
        data = self.data(0)
        data.setup()
        spent: Counter[str] = Counter()
        transform = data.training_transform
        for part in (transform.estimate, transform.whiten):
            part.forward = self.watched(part.forward, spent)
        step: Callable[[], None] | None = None
        rounds = max(2, self.batches // 4)
        for index in range(rounds + 1):
            if index == 1:
                spent.clear()
            batch = self.prepare(data, index, spent)
            step = step or self.stepper(batch)
            with self.clocked(spent, "step"):
                step()
        return Counter({k: v / rounds for k, v in spent.items()})

    @contextmanager
    def clocked(self, spent: Counter[str], stage: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        cpu = self.device.type == "cpu"
        now = time.process_time if cpu else time.perf_counter
        synchronise(self.device)
        began = now()
        yield
        synchronise(self.device)
        spent[stage] += now() - began

    def watched(
        self, function: Callable[..., Tensor], spent: Counter[str]
    ) -> Callable[..., Tensor]:
        """A function whose time counts as whitening."""

        def call(*arguments: Tensor) -> Tensor:
            with self.clocked(spent, "whiten"):
                return function(*arguments)

        return call

    def rows(self, repeats: int) -> list[list[str]]:
        """The lines of the table."""
        data = self.data(0)
        data.setup()
        batch = data.training_batch(data.train_set[0], 0)
        turns = [(self.bare(batch), self.loop()) for _ in range(repeats)]
        bare, loop = (max(rates) for rates in zip(*turns, strict=True))
        spent = self.stages()
        total = sum(spent.values())
        length = self.tree["data"]["init_args"]["batches_per_epoch"]
        samples = length * self.batch_size
        shares = [f"{spent[name] / total:.1%}" for name in STAGES]
        cells = [
            ("bare network", bare, [""] * len(STAGES)),
            ("whole loop", loop, shares),
        ]
        return [
            [
                f"{label}, batches of {self.batch_size}",
                f"{rate:.0f}",
                f"{rate / bare:.2f}",
                f"{samples / rate:.0f}",
                *more,
            ]
            for label, rate, more in cells
        ]


def _move(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, dict):
        return {key: _move(value, device) for key, value in batch.items()}
    return batch.to(device) if isinstance(batch, Tensor) else batch


def measure(name: str, arguments: argparse.Namespace) -> list[list[str]]:
    """The rows of one configuration."""
    case, device = CASES[name], torch.device(arguments.device)
    tree = yaml.safe_load((ROOT / case.path).read_text())
    settings, cpu = tree["data"]["init_args"], device.type == "cpu"
    precision = "32-true" if cpu else tree["trainer"].get("precision")
    size = case.batch_size if cpu else settings["batch_size"]
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), settings["sample_rate"])
        benchmark = Benchmark(
            tree,
            Path(folder),
            device,
            arguments.precision or precision or "32-true",
            arguments.batch_size or size,
            arguments.batches or (case.batches if cpu else BATCHES_ON_GPU),
            arguments.workers or min(settings.get("num_workers", 2), CORES),
        )
        rows = benchmark.rows(arguments.repeats)
    return [[f"{name}: {label}", *cells] for label, *cells in rows]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--configuration", choices=CASES, nargs="+", default=list(CASES)
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--batches", type=int)
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    # As a training on a GPU sets it.
    torch.backends.cudnn.benchmark = True
    rows = [
        cells
        for name in arguments.configuration
        for cells in measure(name, arguments)
    ]
    print(
        f"\n{CORES} cores, {arguments.device}, torch {torch.__version__}, "
        f"Python {platform.python_version()}\n"
    )
    head("", "samples/s", "ratio", "s/epoch", *STAGES)
    for cells in rows:
        row(*cells)


if __name__ == "__main__":
    main()
