"""How fast is inference, compared with the network alone?

    python benchmarks/inference.py [--seconds 1024] [--batch-size 128]

Evaluates one segment of noise, background and injected stream alike, with
the demo's network in three ways, and prints network evaluations a second and
the ratio to the first row, the network on kernels that are ready in memory.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from architectures.supervised import SupervisedTimeDomainNarrowResNet
from export.main import export
from infer.client import StreamClient
from infer.direct import DirectEngine
from infer.layout import StreamLayout
from infer.server import serve
from preprocessing.config import Preprocessing
from preprocessing.manifest import InputSpec, Manifest, sha256

ROOT = Path(__file__).resolve().parents[1]
CONFIG = Preprocessing(
    ifos=("H1", "L1"),
    sample_rate=1024.0,
    kernel_length=1.5,
    fduration=1.0,
    fftlength=1.0,
    highpass=32.0,
)
RATE = 4.0
PSD_LENGTH = 64.0


def train(run_dir: Path) -> None:
    """Write an untrained network as a training leaves it."""
    run_dir.mkdir()
    shape = (CONFIG.num_ifos, CONFIG.kernel_size)
    network = SupervisedTimeDomainNarrowResNet(num_ifos=CONFIG.num_ifos)
    traced = torch.jit.trace(network.eval(), torch.randn(2, *shape))
    torch.jit.save(traced, run_dir / "model.pt")
    Manifest(
        preprocessing=CONFIG,
        left_pad=0.45,
        right_pad=0.05,
        inputs=(InputSpec("strain", shape),),
        weights_sha256=sha256(run_dir / "model.pt"),
    ).write(run_dir / "manifest.json")


def seconds(function: Callable[[], object]) -> float:
    """Time a second call; the first one warms up."""
    function()
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def alone(run_dir: Path, batch_size: int, count: int) -> None:
    """The network on kernels in memory."""
    network = torch.jit.load(run_dir / "model.pt").eval()
    kernels = torch.randn(2 * batch_size, CONFIG.num_ifos, CONFIG.kernel_size)
    with torch.inference_mode():
        for _ in range(count // (2 * batch_size)):
            network(kernels)


def through_server(address: str, strain: np.ndarray, size: int) -> None:
    """All of the segment as one sequence of requests."""
    pieces = np.split(strain, strain.shape[-1] // size, axis=-1)
    with StreamClient(address) as client:
        for _ in client.run(np.ascontiguousarray(p) for p in pieces):
            pass


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=1024)
    parser.add_argument("--batch-size", type=int, default=128)
    arguments = parser.parse_args()
    batch_size = arguments.batch_size
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(folder / "training")
        manifest = export(
            folder / "training",
            folder / "repository",
            psd_length=PSD_LENGTH,
            inference_sampling_rate=RATE,
            batch_size=batch_size,
        )
        samples = round(arguments.seconds * CONFIG.sample_rate)
        layout = StreamLayout.from_manifest(manifest, samples)
        samples -= samples % layout.update_size
        strain = np.random.default_rng(0).standard_normal((2, 2, samples))
        strain = strain.astype(np.float32)
        count = 2 * round(samples / CONFIG.sample_rate * RATE)
        engine = DirectEngine(folder / "training", manifest)
        rows = [
            (
                "network alone, torch's own threads",
                seconds(lambda: alone(folder / "training", batch_size, count)),
            ),
            ("in process", seconds(lambda: engine.outputs(strain))),
        ]
        with serve(
            folder / "repository",
            triton_root=ROOT / ".triton",
            log_file=folder / "log",
        ) as address:
            took = seconds(
                lambda: through_server(
                    str(address), strain, layout.update_size
                )
            )
            rows.append(("Triton server", took))
    print(
        f"{count} evaluations, batches of {batch_size} a stream, "
        f"{os.cpu_count()} cores, torch {torch.__version__}"
    )
    print("| | evaluations/s | ratio |\n|---|---|---|")
    for label, took in rows:
        ratio = rows[0][1] / took
        print(f"| {label} | {count / took:.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
