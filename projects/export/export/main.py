"""From a trained network to a Triton model repository."""

import shutil
from pathlib import Path

import torch
from conventions.errors import UserError
from conventions.files import complete_directory
from preprocessing.manifest import Manifest
from preprocessing.snapshotter import Snapshotter

from export import configs, models
from export.modules import make_preprocessor, make_snapshotter
from export.network import check_platform, write_network
from export.repository import (
    CONFIG,
    MODELS,
    SOURCE,
    VERSION,
    check_repository,
)
from export.training import MANIFEST, WEIGHTS, read_training

SOURCES = {
    configs.SNAPSHOTTER: "snapshotter.py",
    configs.PREPROCESSOR: "stateless.py",
    configs.NETWORK: "stateless.py",
}
# Requests whose kernels may share a batch of the network by default: enough
# to fill a GPU, little enough to fit into it.
SHARED_BY = 4


def _check_serving(serving: configs.Serving, batch_size: int) -> None:
    for name in ("streams_per_gpu", "instances_per_gpu"):
        if (value := getattr(serving, name)) < 1:
            raise UserError(f"{name}: {value} must be at least 1")
    if not serving.idle_timeout > 0:
        raise UserError(
            f"idle_timeout: {serving.idle_timeout} must be a positive number "
            "of seconds"
        )
    if serving.network_batch_size < 2 * batch_size:
        raise UserError(
            f"network_batch_size: {serving.network_batch_size} must be at "
            f"least {2 * batch_size}, the kernels of one request with "
            "background and injected data"
        )


def _add_source(folder: Path, model: str) -> None:
    """Add what the Python backend runs."""
    source = Path(models.__file__).parent / SOURCES[model]
    shutil.copyfile(source, folder / SOURCE)


def export(
    run_dir: Path,
    repository: Path,
    *,
    psd_length: float,
    inference_sampling_rate: float,
    batch_size: int,
    platform: str = "python",
    fp16: bool = False,
    streams_per_gpu: int = 8,
    instances_per_gpu: int = 1,
    network_batch_size: int | None = None,
    idle_timeout: float = 300.0,
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
        platform: how the server runs the network: ``python`` (the Python
            backend), ``torchscript``, ``onnx`` or ``tensorrt``.
        fp16: let TensorRT compute in half precision.
        streams_per_gpu: sequences served at once.
        instances_per_gpu: copies of the network on a GPU.
        network_batch_size: most kernels in one batch of the network; by
            default those of four requests, fewer with fewer streams.
        idle_timeout: seconds without a request after which a sequence is
            given up.
        clean: replace a repository that export has written.

    Returns:
        The repository's manifest.

    Raises:
        UserError: for a value out of range, missing or changed weights, a
            missing manifest, a repository that holds anything else, or a
            platform that needs what is not there.
    """
    run_dir, repository = Path(run_dir), Path(repository)
    check_platform(platform, fp16)
    training = read_training(run_dir)
    if network_batch_size is None:
        shared_by = min(streams_per_gpu, SHARED_BY)
        network_batch_size = 2 * batch_size * shared_by
    serving = configs.Serving(
        platform=platform,
        streams_per_gpu=streams_per_gpu,
        instances_per_gpu=instances_per_gpu,
        network_batch_size=network_batch_size,
        idle_timeout=idle_timeout,
    )
    snapshotter = Snapshotter(
        training.manifest.preprocessing,
        psd_length,
        inference_sampling_rate,
        batch_size,
    )
    _check_serving(serving, batch_size)
    check_repository(repository, clean)
    manifest = training.manifest.extended(
        psd_length=psd_length,
        inference_sampling_rate=inference_sampling_rate,
        batch_size=batch_size,
        platform=platform,
        fp16=fp16,
    )
    update, state = snapshotter.update_size, snapshotter.state_size
    with complete_directory(repository) as folder:
        versions = {
            name: folder / name / VERSION
            for name in (*MODELS, configs.ENSEMBLE)
        }
        for version in versions.values():
            version.mkdir(parents=True)
        torch.jit.save(
            make_snapshotter(snapshotter, platform),
            versions[configs.SNAPSHOTTER] / WEIGHTS,
        )
        torch.jit.save(
            make_preprocessor(manifest, state + update),
            versions[configs.PREPROCESSOR] / WEIGHTS,
        )
        largest_difference = write_network(
            platform,
            training,
            versions[configs.NETWORK],
            batch_sizes=(2 * batch_size, network_batch_size),
            fp16=fp16,
        )
        if platform == "python":
            for name in MODELS:
                _add_source(versions[name], name)
        for config in configs.all_configs(
            serving, manifest, update, state, largest_difference
        ):
            text = configs.to_text(config)
            (folder / config.name / CONFIG).write_text(text)
        manifest.write(folder / MANIFEST)
    return manifest
