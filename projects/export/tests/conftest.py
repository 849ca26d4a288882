"""What trainings of tiny networks leave behind."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import h5py
import pytest
import torch
from google.protobuf import text_format
from preprocessing.batch import BatchWhitener
from preprocessing.config import Preprocessing
from preprocessing.manifest import InputSpec, Manifest, sha256
from preprocessing.representations import Inputs
from preprocessing.snapshotter import Snapshotter
from tritonclient.grpc.model_config_pb2 import ModelConfig

CONFIG = Preprocessing(
    ifos=("H1", "L1"),
    sample_rate=128,
    kernel_length=0.5,
    fduration=0.5,
    highpass=16.0,
)
SHAPE = (CONFIG.num_ifos, CONFIG.kernel_size)
SETTINGS = {
    "psd_length": 4.0,
    "inference_sampling_rate": 4.0,
    "batch_size": 8,
}
TIME = InputSpec("time", SHAPE)
FREQUENCY = InputSpec("frequency", (4, 24), "spectrum")
SLOW = InputSpec(
    "slow",
    (4, 32),
    "heterodyned",
    {"chirp_mass": [8.0, 20.0], "sample_rate": 64},
)


class Tower(torch.nn.Module):
    """Convolution, group normalisation and mean of one input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolve = torch.nn.Conv1d(channels, 8, 9, stride=2)
        self.normalise = torch.nn.GroupNorm(2, 8)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.normalise(self.convolve(X))).amax(-1)


class Network(torch.nn.Module):
    """A tower for each input; answers without a second dimension."""

    def __init__(self, specs: Sequence[InputSpec]) -> None:
        super().__init__()
        self.towers = torch.nn.ModuleList(
            Tower(spec.shape[0]) for spec in specs
        )
        self.last = torch.nn.Linear(8 * len(specs), 1)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        features = [
            tower(X) for tower, X in zip(self.towers, inputs, strict=True)
        ]
        return 5 * self.last(torch.cat(features, 1)).squeeze(-1)


def write_training(
    path: Path,
    network: torch.nn.Module | None = None,
    specs: Sequence[InputSpec] = (InputSpec("X", SHAPE),),
) -> Manifest:
    """Write weights, batch and manifest of a network."""
    path.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = network or Network(specs)
    inputs = Inputs(CONFIG, specs)(torch.randn(12, *SHAPE))
    torch.jit.trace(network.eval(), inputs).save(path / "model.pt")
    with h5py.File(path / "batch.hdf5", "w") as file:
        for spec, X in zip(specs, inputs, strict=True):
            file[spec.name] = X.numpy()
        file["y"] = torch.zeros(12).numpy()
    manifest = Manifest(
        preprocessing=CONFIG,
        left_pad=0.25,
        right_pad=0.05,
        inputs=tuple(specs),
        weights_sha256=sha256(path / "model.pt"),
        versions={"torch": "2"},
        git_revision="abc",
    )
    manifest.write(path / "manifest.json")
    return manifest


def read_config(repository: Path, name: str) -> ModelConfig:
    """Parse a model's configuration as the server does."""
    text = (repository / name / "config.pbtxt").read_text()
    return text_format.Parse(text, ModelConfig())


def expected_outputs(
    run_dir: Path, manifest: Manifest, updates: torch.Tensor
) -> Iterator[torch.Tensor]:
    """Outputs of one sequence by the library's own modules.

    Args:
        run_dir: directory of the training.
        manifest: of the repository.
        updates: of shape ``(request, stream, ifo, update_size)``.

    Yields:
        Statistics of each request, of shape ``(S * batch_size, 1)``.
    """
    arguments = (
        manifest.preprocessing,
        manifest.psd_length,
        manifest.inference_sampling_rate,
        manifest.batch_size,
    )
    snapshotter, whitener = Snapshotter(*arguments), BatchWhitener(*arguments)
    inputs = Inputs(manifest.preprocessing, manifest.inputs)
    network = torch.jit.load(run_dir / "model.pt")
    state = torch.zeros(*updates.shape[1:3], snapshotter.state_size)
    for update in updates:
        full, state = snapshotter(update, state)
        with torch.inference_mode():
            yield network(*inputs(whitener(full))).reshape(-1, 1)


@pytest.fixture(scope="session")
def reference() -> Callable[..., Iterator[torch.Tensor]]:
    """Outputs of one sequence by the library's own modules."""
    return expected_outputs


@pytest.fixture(scope="session")
def onnx(need: Callable[[str, bool, str], None]) -> None:
    """What the platform ONNX needs."""
    there = all(map(find_spec, ("onnx", "onnxruntime")))
    need("onnx", there, 'install the project with its extra "export[onnx]"')


@pytest.fixture(scope="session")
def specs() -> SimpleNamespace:
    """Inputs that networks can have."""
    return SimpleNamespace(time=TIME, frequency=FREQUENCY, slow=SLOW)


@pytest.fixture
def settings() -> dict[str, float]:
    """Settings of inference."""
    return dict(SETTINGS)


@pytest.fixture(scope="session")
def train() -> Callable[..., Manifest]:
    """Writes what a training leaves behind."""
    return write_training


@pytest.fixture(scope="session")
def parse() -> Callable[[Path, str], ModelConfig]:
    """Parses a model's configuration."""
    return read_config


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Directory of a finished training of a network with one input."""
    path = tmp_path / "training"
    write_training(path)
    return path


@pytest.fixture(
    params=[(TIME,), (TIME, FREQUENCY), (SLOW,), (FREQUENCY, SLOW, TIME)],
    ids=["time", "time-frequency", "heterodyned", "all"],
)
def any_run_dir(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Directory of a training of a network with these inputs."""
    path = tmp_path / "training"
    write_training(path, specs=request.param)
    return path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Where a repository goes."""
    return tmp_path / "results" / "repository"


@pytest.fixture
def rewrite(run_dir: Path) -> Callable[..., None]:
    """Change fields of the training's manifest."""

    def change(**changes: object) -> None:
        file = run_dir / "manifest.json"
        dataclasses.replace(Manifest.read(file), **changes).write(file)

    return change
