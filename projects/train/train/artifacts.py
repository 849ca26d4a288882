"""What a finished training leaves behind."""

import platform
import subprocess
import warnings
from importlib.metadata import version
from pathlib import Path

import h5py
import torch
from conventions.files import complete
from preprocessing.manifest import InputSpec, Manifest, sha256
from torch import Tensor

from train.data.supervised import SupervisedAframeDataset
from train.model import SupervisedAframe

PACKAGES = ("torch", "ml4gw", "lightning", "numpy", "h5py", "train")


def write(
    run_dir: Path, model: SupervisedAframe, data: SupervisedAframeDataset
) -> None:
    """Write the traced weights, example batches and, last, the manifest.

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
    X, y = data.training_batch(data.train_set[0], step=0)
    write_arrays(run_dir / "batch.hdf5", X=X, y=y)
    background, foreground = data.validation_batch(data.valid_set[0])
    write_arrays(
        run_dir / "val_batch.hdf5",
        background=background,
        foreground=foreground,
    )
    weights = run_dir / "model.pt"
    trace(model.arch, X, weights)
    Manifest(
        preprocessing=data.config,
        left_pad=data.left_pad,
        right_pad=data.right_pad,
        inputs=(InputSpec("whitened", tuple(X.shape[1:])),),
        weights_sha256=sha256(weights),
        versions=versions(),
        git_revision=git_revision(),
    ).write(run_dir / "manifest.json")


def trace(network: torch.nn.Module, X: Tensor, path: Path) -> None:
    """Save a network as TorchScript, once the trace is seen to agree.

    Args:
        network: in evaluation mode, on the CPU.
        X: a batch of kernels.
        path: of the file to write.

    Raises:
        RuntimeError: if the trace gives other numbers than the network, or
            does not accept another batch size.
    """
    if network.training:
        raise RuntimeError("a network must be traced in evaluation mode")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, X[:2])
        expected, found = network(X), traced(X)
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
