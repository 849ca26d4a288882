"""The network in the format of each platform."""

import importlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch
from conventions.errors import UserError
from torch import Tensor

from export.modules import trace
from export.training import Training

PLATFORMS = ("python", "torchscript", "onnx", "tensorrt")
FILES = {
    "python": "model.pt",
    "torchscript": "model.pt",
    "onnx": "model.onnx",
    "tensorrt": "model.plan",
}
# Largest difference to torch, relative to the statistic where that is
# above 1.
TOLERANCE = 1e-4
HALF_TOLERANCE = 3e-2


class Served(torch.nn.Module):
    """A network with the output that servers want: one column, float32.

    Args:
        network: any number of inputs, one number a sample.
        half: let it compute in half precision.
    """

    def __init__(
        self, network: torch.jit.ScriptModule, half: bool = False
    ) -> None:
        super().__init__()
        self.network = network.half() if half else network
        self.half_precision = half

    def forward(self, *inputs: Tensor) -> Tensor:
        """Evaluate samples.

        Args:
            inputs: of shape ``(batch, ...)``.

        Returns:
            Detection statistics of shape ``(batch, 1)``, float32.
        """
        if self.half_precision:
            inputs = tuple(X.half() for X in inputs)
        return self.network(*inputs).float().reshape(-1, 1)


def require(name: str, platform: str, how: str) -> ModuleType:
    """Import a package that one platform alone needs.

    Args:
        name: of the package.
        platform: that needs it.
        how: the user gets it.

    Raises:
        UserError: if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"platform {platform} needs {name}, which is not installed "
            f"({error}): {how}, or choose platform python or torchscript"
        ) from error


def compare(found: Tensor, expected: Tensor, tolerance: float) -> float:
    """Largest difference between statistics, relative above 1.

    Args:
        found: of another format.
        expected: of torch.
        tolerance: the largest that is accepted.

    Raises:
        RuntimeError: if it is larger, or the shapes differ.
    """
    if found.shape != expected.shape:
        raise RuntimeError(
            f"the network's output became {tuple(found.shape)}: expected "
            f"{tuple(expected.shape)}"
        )
    scale = expected.abs().clamp(min=1)
    error = float(((found - expected).abs() / scale).max())
    # Written so that NaN fails.
    if not error <= tolerance:
        raise RuntimeError(
            f"the network's output became different by {error:.3g}, more "
            f"than {tolerance:g}"
        )
    return error


def check_platform(platform: str, fp16: bool) -> None:
    """Check that this platform can be exported to, here.

    Args:
        platform: one of ``PLATFORMS``.
        fp16: whether half precision is asked for.

    Raises:
        UserError: if it is unknown, does not take half precision, or lacks
            a package or a GPU.
    """
    if platform not in PLATFORMS:
        raise UserError(
            f"platform: {platform!r} is not one of {', '.join(PLATFORMS)}"
        )
    if fp16 and platform != "tensorrt":
        raise UserError(
            f"fp16: platform {platform} runs the network as it was trained; "
            "tensorrt alone takes half precision"
        )
    if platform == "tensorrt":
        from export.tensorrt_engine import check_gpu

        check_gpu()
    if platform in ("onnx", "tensorrt"):
        for name in ("onnx", "onnxruntime"):
            how = 'install the project with its extra ("export[onnx]")'
            require(name, platform, how)


def write_network(
    platform: str,
    training: Training,
    folder: Path,
    *,
    batch_sizes: Sequence[int],
    fp16: bool,
) -> float:
    """Write the file that the server loads.

    Args:
        platform: one of ``PLATFORMS``.
        training: whose network it is.
        folder: of the model's version.
        batch_sizes: the usual and the largest number of samples.
        fp16: let TensorRT compute in half precision.

    Returns:
        Largest difference between its outputs and torch's, over the
        training's examples; 0 where torch runs it.

    Raises:
        UserError: if the format cannot hold the network.
        RuntimeError: if the difference is too large.
    """
    path = folder / FILES[platform]
    if platform == "python":
        # As it is, so that its checksum remains that of the manifest.
        shutil.copyfile(training.weights, path)
        return 0.0
    served = _served(training, fp16=False)
    if platform == "torchscript":
        torch.jit.save(served, path)
        return 0.0
    from export import onnx_file

    names = [spec.name for spec in training.manifest.inputs]
    with torch.inference_mode():
        expected = served(*training.examples)
    if platform == "onnx":
        onnx_file.write(served, training.examples, names, path)
        found = onnx_file.run(path, training.examples)
        return compare(found, expected, TOLERANCE)
    from export import tensorrt_engine

    with tempfile.TemporaryDirectory() as name:
        onnx_path = Path(name) / "network.onnx"
        typed = _served(training, fp16)
        onnx_file.write(typed, training.examples, names, onnx_path)
        tensorrt_engine.build(onnx_path, path, batch_sizes)
    found = tensorrt_engine.run(path, names, training.examples)
    return compare(found, expected, HALF_TOLERANCE if fp16 else TOLERANCE)


def _served(training: Training, fp16: bool) -> torch.jit.ScriptModule:
    """The network with the output that servers want, traced."""
    network = training.network
    if fp16:
        # The conversion changes a module in place.
        network = torch.jit.load(training.weights, map_location="cpu").eval()
    sizes = (1, len(training.examples[0]))
    return trace(Served(network, fp16).eval(), training.examples, sizes)
