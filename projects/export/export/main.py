"""From a trained network to a Triton model repository."""

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from conventions.errors import UserError
from conventions.files import complete_directory
from preprocessing.batch import BatchWhitener
from preprocessing.manifest import Manifest, sha256
from preprocessing.snapshotter import Snapshotter
from tritonclient.grpc.model_config_pb2 import ModelConfig

from export import configs, models

PLATFORMS = ("python",)
MANIFEST = "manifest.json"
WEIGHTS = "model.pt"
VERSION = "1"
SOURCES = {
    configs.SNAPSHOTTER: "snapshotter.py",
    configs.PREPROCESSOR: "stateless.py",
    configs.NETWORK: "stateless.py",
}
OWN_ENTRIES = {
    configs.NETWORK,
    configs.PREPROCESSOR,
    configs.SNAPSHOTTER,
    configs.ENSEMBLE,
    MANIFEST,
}


def read_training(run_dir: Path) -> Manifest:
    """Read the manifest of a training and check its weights against it.

    Args:
        run_dir: directory of the training.

    Returns:
        The manifest that training wrote.

    Raises:
        UserError: if the manifest or the weights are missing, or if the
            weights are not those that the manifest was written for.
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
    return manifest


def _check(
    manifest: Manifest,
    repository: Path,
    platform: str,
    streams: int,
    clean: bool,
) -> None:
    if platform not in PLATFORMS:
        raise UserError(
            f"platform: {platform!r} is not one of {', '.join(PLATFORMS)}"
        )
    if streams < 1:
        raise UserError(f"streams_per_gpu: {streams} must be at least 1")
    settings = manifest.preprocessing
    shapes = [spec.shape for spec in manifest.inputs]
    expected = (settings.num_ifos, settings.kernel_size)
    if shapes != [expected]:
        raise UserError(
            f"a network with inputs of shapes {shapes} cannot be exported: "
            f"expected one of shape {expected} (ifos, kernel samples)"
        )
    if repository.exists() and not repository.is_dir():
        raise UserError(f"repository: {repository} is not a directory")
    entries = {path.name for path in repository.glob("*")}
    if foreign := sorted(entries - OWN_ENTRIES):
        raise UserError(
            f"repository: {repository} holds what export did not write: "
            f"{', '.join(foreign)}; name another directory"
        )
    if MANIFEST in entries and not clean:
        raise UserError(
            f"repository: {repository} is complete already; pass clean to "
            "replace it"
        )


def _load(weights: Path) -> torch.jit.ScriptModule:
    try:
        return torch.jit.load(weights, map_location="cpu").eval()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"{weights} is not a TorchScript file: {reason}"
        ) from error


@contextmanager
def _double_precision_sizes() -> Iterator[None]:
    """Let a trace compute with sizes as Python does.

    While tracing, sizes are tensors, and what is computed from them, such
    as the frequency bin of the highpass, has torch's default precision:
    in single precision a bin can come out one off.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _trace(
    module: torch.nn.Module, shape: tuple[int, ...]
) -> torch.jit.ScriptModule:
    """Trace a module that takes strain and test it with 1 and 2 streams."""
    generator = torch.Generator().manual_seed(0)
    X = torch.randn((2, *shape), generator=generator)
    with torch.no_grad():
        with _double_precision_sizes(), warnings.catch_warnings():
            # Lengths are constants of a repository, by design.
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            traced = torch.jit.trace(module, X, check_trace=False)
        for streams in (1, 2):
            torch.testing.assert_close(
                traced(X[:streams]), module(X[:streams])
            )
    return traced


def _try_network(network: torch.jit.ScriptModule, manifest: Manifest) -> None:
    """Check that the network gives one number a kernel, for any batch."""
    for size in (1, 3):
        X = torch.zeros((size, *manifest.inputs[0].shape))
        with torch.inference_mode():
            y = network(X)
        if y.numel() != size:
            raise UserError(
                f"the network answers {size} kernels with an output of shape "
                f"{tuple(y.shape)}: expected one number a kernel"
            )


def _write_model(
    folder: Path,
    config: ModelConfig,
    module: torch.jit.ScriptModule | Path,
) -> None:
    """Write the directory of one model.

    Args:
        folder: the directory.
        config: of the model; an ensemble has no files of its own.
        module: what the model runs; a file is copied as it is, so that
            its checksum remains that of the manifest.
    """
    version = folder / VERSION
    version.mkdir(parents=True)
    (folder / "config.pbtxt").write_text(configs.to_text(config))
    if config.name not in SOURCES:
        return
    source = Path(models.__file__).parent / SOURCES[config.name]
    shutil.copyfile(source, version / "model.py")
    if isinstance(module, Path):
        shutil.copyfile(module, version / WEIGHTS)
    else:
        torch.jit.save(module, version / WEIGHTS)


def export(
    run_dir: Path,
    repository: Path,
    *,
    psd_length: float,
    inference_sampling_rate: float,
    batch_size: int,
    platform: str = "python",
    streams_per_gpu: int = 8,
    clean: bool = False,
) -> Manifest:
    """Write a model repository, complete or not at all.

    The ensemble ``aframe-stream`` takes strain of shape ``(S, ifo,
    update_size)``, S = 1 (background) or 2 (background, injected), and
    answers ``S * batch_size`` detection statistics, those of the background
    first. It runs snapshotter, preprocessor and network in a row
    (science.md, Streaming inference).

    Args:
        run_dir: directory of a finished training.
        repository: the directory to write.
        psd_length: seconds of data that a PSD is estimated from.
        inference_sampling_rate: network outputs per second, in Hz.
        batch_size: network outputs per request and stream.
        platform: how the server runs the network; one of ``PLATFORMS``.
        streams_per_gpu: sequences served at once.
        clean: replace a repository that is complete already.

    Returns:
        The repository's manifest.

    Raises:
        UserError: for a value out of range, missing or changed weights, a
            missing manifest, or a repository that holds anything else.
    """
    run_dir, repository = Path(run_dir), Path(repository)
    trained = read_training(run_dir)
    _check(trained, repository, platform, streams_per_gpu, clean)
    _try_network(_load(run_dir / WEIGHTS), trained)
    arguments = (
        trained.preprocessing,
        psd_length,
        inference_sampling_rate,
        batch_size,
    )
    snapshotter = Snapshotter(*arguments)
    update, state = snapshotter.update_size, snapshotter.state_size
    strain = (trained.preprocessing.num_ifos, state + update)
    manifest = trained.extended(
        psd_length=psd_length,
        inference_sampling_rate=inference_sampling_rate,
        batch_size=batch_size,
        platform=platform,
    )
    whitener = _trace(BatchWhitener(*arguments).eval(), strain)
    modules = {
        configs.SNAPSHOTTER: torch.jit.script(snapshotter),
        configs.PREPROCESSOR: whitener,
    }
    with complete_directory(repository) as folder:
        for config in configs.all_configs(
            manifest, update, state, streams_per_gpu
        ):
            _write_model(
                folder / config.name,
                config,
                modules.get(config.name, run_dir / WEIGHTS),
            )
        manifest.write(folder / MANIFEST)
    return manifest
