"""A tiny trained network, its repository, and the real server."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from export.main import export
from infer.server import serve
from ledger.injections import (
    InterferometerResponseSet,
    waveform_class_factory,
)
from preprocessing.batch import BatchWhitener
from preprocessing.config import Preprocessing
from preprocessing.manifest import InputSpec, Manifest, sha256

REPO = Path(__file__).resolve().parents[3]
IFOS = ("H1", "L1")
SAMPLE_RATE = 256
START = 1_000_000_000
RESPONSES = waveform_class_factory(
    list(IFOS), InterferometerResponseSet, "Responses"
)


class Network(torch.nn.Module):
    """Two convolutions and a mean."""

    def __init__(self, num_ifos: int) -> None:
        super().__init__()
        self.first = torch.nn.Conv1d(num_ifos, 8, 15, stride=4)
        self.second = torch.nn.Conv1d(8, 8, 9, stride=2)
        self.last = torch.nn.Linear(8, 1)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        X = torch.relu(self.first(X))
        return self.last(torch.relu(self.second(X)).amax(-1))


def train(run_dir: Path, ifos: tuple[str, ...] = IFOS) -> Manifest:
    """Write what a training leaves behind."""
    config = Preprocessing(
        ifos=ifos,
        sample_rate=SAMPLE_RATE,
        kernel_length=0.75,
        fduration=0.5,
        highpass=16.0,
    )
    shape = (len(ifos), config.kernel_size)
    torch.manual_seed(3)
    network = Network(len(ifos)).eval()
    run_dir.mkdir(parents=True, exist_ok=True)
    traced = torch.jit.trace(network, torch.randn(2, *shape))
    torch.jit.save(traced, run_dir / "model.pt")
    manifest = Manifest(
        preprocessing=config,
        left_pad=0.25,
        right_pad=0.05,
        inputs=(InputSpec("strain", shape),),
        weights_sha256=sha256(run_dir / "model.pt"),
    )
    manifest.write(run_dir / "manifest.json")
    return manifest


def write_background(
    path: Path, strain: np.ndarray, start: float = START
) -> Path:
    """Write a background file of strain of shape (ifo, time)."""
    with h5py.File(path, "w") as file:
        for ifo, data in zip(("H1", "L1", "V1"), strain, strict=False):
            channel = file.create_dataset(ifo, data=data)
            channel.attrs["x0"] = float(start)
            channel.attrs["dx"] = 1 / SAMPLE_RATE
    return path


def noise(seconds: float, num_ifos: int = 2, seed: int = 0) -> np.ndarray:
    """White strain of an amplitude like that of real detectors."""
    rng = np.random.default_rng(seed)
    size = (num_ifos, int(seconds * SAMPLE_RATE))
    return 1e-21 * rng.normal(size=size)


def signals(times: list[float], shift: list[float]) -> RESPONSES:
    """Loud sine-Gaussians of two seconds at the given times."""
    count, size = len(times), 2 * SAMPLE_RATE
    t = np.arange(size) / SAMPLE_RATE - 1.75
    pulse = 2e-20 * np.exp(-((t / 0.03) ** 2)) * np.sin(500 * t)
    names = [
        name
        for name, kind in RESPONSES.columns().items()
        if kind == "parameter"
    ]
    columns = {name: np.ones(count) for name in names}
    columns["injection_time"] = np.array(times, dtype=float)
    columns["shift"] = np.tile(np.array(shift, float), (count, 1))
    columns["ifo_snrs"] = np.ones((count, 2))
    waves = {ifo.lower(): np.tile(pulse, (count, 1)) for ifo in IFOS}
    return RESPONSES(
        **columns,
        **waves,
        ifos=list(IFOS),
        sample_rate=SAMPLE_RATE,
        duration=2.0,
        right_pad=0.25,
        num_injections=3 * count,
    )


def shifted(strain: np.ndarray, shifts: list[float]) -> np.ndarray:
    """Give simultaneous strain of shape (ifo, time), channels delayed."""
    delays = [round(shift * SAMPLE_RATE) for shift in shifts]
    size = strain.shape[1] - max(delays)
    return np.stack(
        [
            row[delay : delay + size]
            for row, delay in zip(strain, delays, strict=True)
        ]
    )


def reference(
    run_dir: Path, manifest: Manifest, stream: np.ndarray
) -> np.ndarray:
    """One pass in a loop: each output from its own slice of the stream.

    Args:
        run_dir: of the training.
        manifest: of the repository.
        stream: finite strain of shape (S, ifo, time).

    Returns:
        Outputs after the burn-in, of shape (S, n).
    """
    config = manifest.preprocessing
    rate, batch = manifest.inference_sampling_rate, manifest.batch_size
    network = torch.jit.load(run_dir / "model.pt").eval()
    whitener = BatchWhitener(config, manifest.psd_length, rate, batch)
    stride = int(config.sample_rate / rate)
    burn_in = int(manifest.psd_length * rate)
    count = stream.shape[-1] // stride
    outputs = np.full((len(stream), count), np.nan)
    lead = np.zeros((*stream.shape[:2], 200 * config.kernel_size))
    padded = np.concatenate([lead, stream], axis=-1).astype(np.float32)
    for n in range(burn_in, count):
        # The first output of the batch with this one, whose PSD it shares.
        first = burn_in + (n - burn_in) // batch * batch
        edge = lead.shape[-1] + (first + 1) * stride
        begin = edge - config.window_size
        psd = whitener.estimate(
            torch.from_numpy(padded[0, :, begin - whitener.psd_size : begin])
        )
        early = begin - whitener.early
        stop = begin + config.window_size + (batch - 1) * stride
        after = np.zeros((*stream.shape[:2], stop - early), np.float32)
        part = padded[..., early:stop]
        after[..., : part.shape[-1]] = part
        white = whitener.whitener(torch.from_numpy(after), psd)
        left = whitener.early + (n - first) * stride
        with torch.inference_mode():
            kernel = white[..., left : left + config.kernel_size]
            outputs[:, n] = network(kernel).flatten().numpy()
    return outputs[:, burn_in:]


@pytest.fixture(scope="session")
def tiny() -> SimpleNamespace:
    """What tests need to make data for the tiny network."""
    return SimpleNamespace(
        ifos=IFOS,
        sample_rate=SAMPLE_RATE,
        start=START,
        train=train,
        noise=noise,
        signals=signals,
        write_background=write_background,
        shifted=shifted,
        reference=reference,
    )


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a finished training."""
    path = tmp_path_factory.mktemp("training")
    train(path)
    return path


@pytest.fixture(scope="session")
def repository(
    run_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A model repository: 8 s PSD, 4 outputs/s, 16 a request."""
    path = tmp_path_factory.mktemp("export") / "repository"
    export(
        run_dir,
        path,
        psd_length=8.0,
        inference_sampling_rate=4.0,
        batch_size=16,
    )
    return path


@pytest.fixture(scope="session")
def manifest(repository: Path) -> Manifest:
    """Manifest of the repository."""
    return Manifest.read(repository / "manifest.json")


@pytest.fixture(scope="session")
def triton_root(need: Callable[[str, bool, str], None]) -> Path:
    """Where the server is installed."""
    default = REPO / ".triton"
    path = Path(os.environ.get("AFRAME_TRITON_ROOT") or default)
    need(
        "triton",
        (path / "pytriton").is_dir(),
        f"there is no server in {path}: run scripts/install-triton",
    )
    return path


@pytest.fixture(scope="session")
def address(
    repository: Path,
    triton_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """Address of a running server."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    with serve(
        repository, triton_root=triton_root, log_file=log, timeout=120
    ) as server:
        yield server.grpc
