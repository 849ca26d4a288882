"""What a finished training leaves behind."""

import platform
import subprocess
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import h5py
import torch
from conventions.files import complete
from preprocessing.manifest import Manifest, sha256
from torch import Tensor

from train.data import AframeDataset
from train.model import AframeModule

PACKAGES = ("torch", "ml4gw", "lightning", "numpy", "h5py", "train")


def write(run_dir: Path, model: AframeModule, data: AframeDataset) -> None:
    """Write the traced weights, example batches and, last, the manifest.

    Datasets of ``batch.hdf5`` are the inputs by the names of the manifest
    (a single one is ``X``), and the labels ``y``; those of
    ``val_batch.hdf5`` are ``background`` and ``foreground``, followed by the
    name of the input where there are several.

    Args:
        run_dir: holds ``best.ckpt``, whose weights are exported.
        model: the trained module; it is left with the best weights.
        data: the data module, set up.
    """
    best = torch.load(
        run_dir / "best.ckpt", map_location="cpu", weights_only=True
    )
    model.load_state_dict(best["state_dict"])
    model = model.cpu().eval()
    several = len(data.inputs) > 1
    names = [spec.name for spec in data.inputs] if several else ["X"]
    *X, y = data.training_batch(data.train_set[0], step=0)
    batch = dict(zip(names, X, strict=True))
    write_arrays(run_dir / "batch.hdf5", **batch, y=y)
    pairs = data.validation_batch(data.valid_set[0])
    ends = [f"_{name}" for name in names] if several else [""]
    kinds = [f"{k}{end}" for end in ends for k in ("background", "foreground")]
    write_arrays(
        run_dir / "val_batch.hdf5", **dict(zip(kinds, pairs, strict=True))
    )
    weights = run_dir / "model.pt"
    trace(model.network.eval(), X, weights)
    Manifest(
        preprocessing=data.config,
        left_pad=data.left_pad,
        right_pad=data.right_pad,
        inputs=data.inputs,
        weights_sha256=sha256(weights),
        versions=versions(),
        git_revision=git_revision(),
    ).write(run_dir / "manifest.json")


def trace(
    network: torch.nn.Module, inputs: Sequence[Tensor], path: Path
) -> None:
    """Save a network as TorchScript, once the trace is seen to agree.

    Args:
        network: in evaluation mode, on the CPU.
        inputs: of a batch, each of shape ``(batch, ...)``.
        path: of the file to write.

    Raises:
        RuntimeError: if the trace gives other numbers than the network, or
            does not accept another batch size.
    """
    if network.training:
        raise RuntimeError("a network must be traced in evaluation mode")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, tuple(X[:2] for X in inputs))
        expected, found = network(*inputs), traced(*inputs)
        if not torch.allclose(expected, found, rtol=1e-4, atol=1e-5):
            error = (expected - found).abs().max()
            raise RuntimeError(
                f"the trace differs from the network by {error:.3g}"
            )
        with complete(path) as temporary:
            torch.jit.save(traced, temporary)


def write_arrays(path: Path, **arrays: Tensor) -> None:
    """Write tensors to an HDF5 file, complete or not at all."""
    with complete(path) as temporary, h5py.File(temporary, "w") as file:
        for name, array in arrays.items():
            file[name] = array.cpu().numpy()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that matter."""
    return {"python": platform.python_version()} | {
        name: version(name) for name in PACKAGES
    }


def git_revision() -> str | None:
    """Revision of the source, None if it is not in a git repository."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
