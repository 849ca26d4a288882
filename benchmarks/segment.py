"""The search of one segment of noise, with signals and without."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from infer.engine import Engine
from infer.layout import StreamLayout
from infer.main import SlideFiles, infer_segment
from ledger.injections import (
    InterferometerResponseSet,
    waveform_class_factory,
)
from networks import IFOS, KERNEL_LENGTH, Case
from preprocessing.config import Preprocessing
from preprocessing.manifest import InputSpec, Manifest, sha256

RATE = 4.0
START = 1_000_000_000
# As the pipeline draws injections: 8 s of signal each 24 s.
DURATION, SPACING, RIGHT_PAD = 8.0, 24.0, 0.5
Responses = waveform_class_factory(
    list(IFOS), InterferometerResponseSet, "Responses"
)


def train(run_dir: Path, case: Case) -> None:
    """Write an untrained network as a training leaves it."""
    config = Preprocessing(
        ifos=IFOS,
        sample_rate=case.sample_rate,
        kernel_length=KERNEL_LENGTH,
        fduration=1.0,
        fftlength=1.0,
        highpass=32.0,
    )
    run_dir.mkdir()
    shape = (config.num_ifos, config.kernel_size)
    torch.manual_seed(0)
    traced = torch.jit.trace(case.network().eval(), torch.randn(2, *shape))
    torch.jit.save(traced, run_dir / "model.pt")
    Manifest(
        preprocessing=config,
        left_pad=0.45,
        right_pad=0.05,
        inputs=(InputSpec("strain", shape),),
        weights_sha256=sha256(run_dir / "model.pt"),
    ).write(run_dir / "manifest.json")


def write_background(path: Path, rate: float, seconds: int) -> None:
    """White noise, as loud as that of detectors."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for ifo in IFOS:
            noise = 1e-21 * rng.standard_normal(round(seconds * rate))
            channel = file.create_dataset(ifo, data=noise, chunks=(131_072,))
            channel.attrs.update(x0=float(START), dx=1 / rate)


def write_injections(
    path: Path, rate: float, seconds: int, num_slides: int
) -> None:
    """A signal each ``SPACING`` seconds of every slide."""
    times = np.arange(START + SPACING, START + seconds - SPACING, SPACING)
    count, size = num_slides * len(times), round(DURATION * rate)
    t = np.arange(size) / rate - (DURATION - RIGHT_PAD)
    wave = 1e-21 * np.sin(2 * np.pi * 100 * t) * (t < 0)
    columns = {
        name: np.ones(count)
        for name, kind in Responses.columns().items()
        if kind == "parameter"
    }
    columns["injection_time"] = np.tile(times, num_slides)
    columns["shift"] = np.repeat(
        [[0.0, i] for i in range(1, num_slides + 1)], len(times), axis=0
    )
    columns["ifo_snrs"] = np.ones((count, len(IFOS)))
    Responses(
        **columns,
        **{ifo.lower(): np.tile(wave, (count, 1)) for ifo in IFOS},
        ifos=list(IFOS),
        sample_rate=rate,
        duration=DURATION,
        right_pad=RIGHT_PAD,
        num_injections=count,
    ).write(path)


@dataclass
class Search:
    """The search of one segment.

    Attributes:
        folder: of all files.
        manifest: of the model repository.
        seconds: of strain in the segment.
        num_slides: shifts that are searched.
    """

    folder: Path
    manifest: Manifest
    seconds: int
    num_slides: int

    def files(self, injected: bool) -> list[SlideFiles]:
        """The slides, with injections or without."""
        return [
            SlideFiles(
                shifts=(0.0, float(i)),
                background=self.folder / f"background-{i}.hdf5",
                livetime=self.folder / f"livetime-{i}.hdf5",
                **(
                    {
                        "injections": self.folder / "injections.hdf5",
                        "foreground": self.folder / f"foreground-{i}.hdf5",
                    }
                    if injected
                    else {}
                ),
            )
            for i in range(1, self.num_slides + 1)
        ]

    def layouts(self) -> Iterator[StreamLayout]:
        """How each slide is cut into requests."""
        rate = self.manifest.preprocessing.sample_rate
        for i in range(1, self.num_slides + 1):
            samples = round((self.seconds - i) * rate)
            yield StreamLayout.from_manifest(self.manifest, samples)

    def count(self, injected: bool) -> int:
        """Outputs of all slides and streams."""
        outputs = sum(layout.num_outputs for layout in self.layouts())
        return outputs * (2 if injected else 1)

    def served(self) -> float:
        """Kernels that a server evaluates for an output."""
        evaluated = sum(
            layout.num_requests * layout.batch_size
            for layout in self.layouts()
        )
        return evaluated / self.count(False)

    def sent(self, injected: bool) -> float:
        """Bytes that requests carry for a second of background."""
        size = 4 * len(IFOS) * (2 if injected else 1)
        samples = sum(
            layout.num_requests * layout.update_size
            for layout in self.layouts()
        )
        return size * samples * RATE / self.count(False)

    def run(self, engine: Engine, injected: bool) -> float:
        """Search, and give the seconds that took."""
        began = time.perf_counter()
        infer_segment(
            engine,
            background=self.folder / "background.hdf5",
            start=START,
            stop=START + self.seconds,
            slides=self.files(injected),
            integration_window_length=1.0,
            cluster_window_length=8.0,
            recovery_window=2.0,
        )
        return time.perf_counter() - began
