"""What a training of a tiny network leaves behind."""

import dataclasses
from pathlib import Path

import pytest
import torch
from preprocessing.config import Preprocessing
from preprocessing.manifest import InputSpec, Manifest, sha256

CONFIG = Preprocessing(
    ifos=("H1", "L1"),
    sample_rate=128,
    kernel_length=0.5,
    fduration=0.5,
    highpass=16.0,
)


def write_training(path: Path, network: torch.nn.Module) -> Manifest:
    """Write weights and manifest of a network."""
    shape = (CONFIG.num_ifos, CONFIG.kernel_size)
    path.mkdir(parents=True, exist_ok=True)
    torch.jit.trace(network.eval(), torch.zeros(2, *shape)).save(
        path / "model.pt"
    )
    manifest = Manifest(
        preprocessing=CONFIG,
        left_pad=0.25,
        right_pad=0.05,
        inputs=(InputSpec("X", shape),),
        weights_sha256=sha256(path / "model.pt"),
        versions={"torch": "2"},
        git_revision="abc",
    )
    manifest.write(path / "manifest.json")
    return manifest


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Directory of a finished training."""
    path = tmp_path / "training"
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv1d(2, 4, 9, 4),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool1d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 1),
    )
    write_training(path, network)
    return path


@pytest.fixture
def rewrite(run_dir: Path):
    """Change fields of the training's manifest."""

    def change(**changes):
        file = run_dir / "manifest.json"
        dataclasses.replace(Manifest.read(file), **changes).write(file)

    return change
