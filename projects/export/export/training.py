"""What a training left behind, checked before anything is made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import torch
from conventions.errors import UserError
from preprocessing.manifest import WHITENED, InputSpec, Manifest, sha256
from preprocessing.representations import Inputs
from torch import Tensor

MANIFEST = "manifest.json"
WEIGHTS = "model.pt"
BATCH = "batch.hdf5"
# How the training of a network with one input calls it in its batch.
ONLY_INPUT = "X"
# Samples that the network is tried on.
EXAMPLES = 8
# Representations are computed in single precision, maybe on a GPU.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Training:
    """A finished training.

    Attributes:
        manifest: what it was done with.
        weights: the file that the manifest belongs to.
        network: the weights as a module, on the CPU, in evaluation mode.
        examples: some samples of each input, of shape ``(batch, ...)``.
    """

    manifest: Manifest
    weights: Path
    network: torch.jit.ScriptModule
    examples: tuple[Tensor, ...]


def read_training(run_dir: Path) -> Training:
    """Read a training and check that its parts belong together.

    Args:
        run_dir: directory of the training.

    Raises:
        UserError: if the manifest or the weights are missing, the weights
            are not those that the manifest was written for, the example
            batch is not of the manifest's inputs, or the network does not
            answer each sample of them with one number.
    """
    manifest_file = run_dir / MANIFEST
    manifest = Manifest.read(manifest_file)
    weights = run_dir / WEIGHTS
    if not weights.is_file():
        raise UserError(
            f"no weights at {weights}: the training that wrote "
            f"{manifest_file} left them there; run it again"
        )
    found = sha256(weights)
    if found != manifest.weights_sha256:
        raise UserError(
            f"{weights} is not what {manifest_file} was written for: its "
            f"SHA-256 is {found}, expected {manifest.weights_sha256}"
        )
    examples = _examples(manifest, run_dir / BATCH)
    network = _load(weights)
    _try_network(network, examples)
    return Training(manifest, weights, network, examples)


def _examples(manifest: Manifest, path: Path) -> tuple[Tensor, ...]:
    """Samples of the inputs, from the training's own batch."""
    make = Inputs(manifest.preprocessing, manifest.inputs)
    if path.is_file():
        examples = _read_batch(path, manifest.inputs)
        _check_representations(path, manifest.inputs, make, examples)
        return examples
    if len(manifest.inputs) > 1:
        names = ", ".join(spec.name for spec in manifest.inputs)
        raise UserError(
            f"no batch at {path}: the training of a network with the inputs "
            f"{names} left it there; run it again"
        )
    # A whitened kernel is, but for its band, white noise.
    settings = manifest.preprocessing
    shape = (EXAMPLES, settings.num_ifos, settings.kernel_size)
    generator = torch.Generator().manual_seed(0)
    return make(torch.randn(shape, generator=generator))


def _read_batch(path: Path, specs: Sequence[InputSpec]) -> tuple[Tensor, ...]:
    examples = []
    with h5py.File(path) as file:
        for spec in specs:
            name = spec.name
            if len(specs) == 1 and name not in file:
                name = ONLY_INPUT
            if name not in file:
                raise UserError(
                    f"{path} holds {', '.join(file)}: expected a dataset "
                    f"for the input {spec.name} of the manifest"
                )
            samples = file[name][:EXAMPLES]
            if samples.shape[1:] != spec.shape or not len(samples):
                raise UserError(
                    f"{path}: dataset {name} has shape {file[name].shape}: "
                    f"expected samples of shape {spec.shape}, that of input "
                    f"{spec.name} of the manifest"
                )
            examples.append(torch.from_numpy(samples).float())
    return tuple(examples)


def _check_representations(
    path: Path,
    specs: Sequence[InputSpec],
    make: Inputs,
    examples: Sequence[Tensor],
) -> None:
    """Check that inference makes of kernels what training made of them."""
    kernels = [
        example
        for spec, example in zip(specs, examples, strict=True)
        if spec.representation == WHITENED
    ]
    if not kernels:
        return
    for spec, example, made in zip(
        specs, examples, make(kernels[0]), strict=True
    ):
        error = float((example - made).abs().max())
        # Written so that NaN fails.
        if not error <= TOLERANCE * float(made.abs().max()):
            raise UserError(
                f"{path}: input {spec.name} is not the representation "
                f"{spec.representation} of the whitened kernels beside it, "
                f"as the manifest says: it differs by up to {error:.3g}"
            )


def _load(weights: Path) -> torch.jit.ScriptModule:
    try:
        return torch.jit.load(weights, map_location="cpu").eval()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"{weights} is not a TorchScript file: {reason}"
        ) from error


def _try_network(
    network: torch.jit.ScriptModule, examples: Sequence[Tensor]
) -> None:
    """Check that the network gives one number a sample, for any batch."""
    for size in (1, min(3, len(examples[0]))):
        try:
            with torch.inference_mode():
                y = network(*(example[:size] for example in examples))
        except RuntimeError as error:
            shapes = ", ".join(str(tuple(x.shape[1:])) for x in examples)
            reason = str(error).strip().splitlines()[-1]
            raise UserError(
                "the network does not take the inputs of its manifest, of "
                f"shapes {shapes}: {reason}"
            ) from error
        if y.numel() != size:
            raise UserError(
                f"the network answers {size} kernels with an output of shape "
                f"{tuple(y.shape)}: expected one number a kernel"
            )
