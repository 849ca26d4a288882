"""Command line of the inference on one segment and shift."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from conventions.errors import UserError, exit_on_user_error
from conventions.progress import plain
from jsonargparse import auto_cli
from preprocessing.manifest import Manifest

from infer.engine import Engine
from infer.main import SlideFiles, infer_segment
from infer.server import serve
from infer.triton_engine import TritonEngine


def segment(
    repository: Path,
    background: Path,
    start: float,
    stop: float,
    shifts: list[float],
    integration_window_length: float,
    cluster_window_length: float,
    recovery_window: float,
    background_output: Path,
    livetime_output: Path,
    injections: Path | None = None,
    foreground_output: Path | None = None,
    timeseries_output: Path | None = None,
    engine: Literal["triton", "direct"] = "triton",
    weights: Path | None = None,
    device: str = "cpu",
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = "fp32",
    address: str | None = None,
    image: Path | None = None,
    triton_root: Path | None = None,
    gpus: str = "",
    log_file: Path = Path("server.log"),
) -> None:
    """Search one segment and shift.

    Args:
        repository: the model repository.
        background: the background file.
        start: GPS second where the segment starts.
        stop: GPS second where it stops.
        shifts: delay of each channel, in seconds.
        integration_window_length: of the boxcar, in seconds.
        cluster_window_length: an event is the maximum within half of it on
            each side, in seconds.
        recovery_window: an injection is found by an event at most this far
            from it, in seconds.
        background_output: where the background's events go.
        livetime_output: where the stretches go that were analysed.
        injections: the injection file; none by default.
        foreground_output: where the recovered injections go.
        timeseries_output: where the network's outputs go; by default they
            are not kept.
        engine: what evaluates the network, an inference server or this
            process.
        weights: of engine direct: the network, or its training's directory.
        device: of engine direct: what torch calls the device.
        precision: of engine direct: the numbers that the network computes
            with.
        address: of engine triton: a running server; by default one is
            started.
        image: container image of the server that is started.
        triton_root: where scripts/install-triton put the server that is
            started without an image.
        gpus: comma-separated ids of the GPUs of the server.
        log_file: of the server.
    """

    @contextmanager
    def running() -> Iterator[Engine]:
        manifest = Manifest.read(repository / "manifest.json")
        if engine == "direct":
            from infer.direct import DirectEngine

            if weights is None:
                raise UserError("engine direct needs --weights")
            yield DirectEngine(weights, manifest, device, precision)
        elif address is not None:
            with TritonEngine(address, manifest) as remote:
                yield remote
        else:
            with (
                serve(
                    repository,
                    image=image,
                    triton_root=triton_root,
                    gpus=gpus,
                    log_file=log_file,
                    progress=plain,
                ) as server,
                TritonEngine(
                    server.grpc, manifest, log_file=log_file
                ) as started,
            ):
                yield started

    slide = SlideFiles(
        shifts=shifts,
        background=background_output,
        livetime=livetime_output,
        injections=injections,
        foreground=foreground_output,
        timeseries=timeseries_output,
    )
    with running() as evaluator:
        infer_segment(
            evaluator,
            background=background,
            start=start,
            stop=stop,
            slides=[slide],
            integration_window_length=integration_window_length,
            cluster_window_length=cluster_window_length,
            recovery_window=recovery_window,
            progress=plain,
        )


def main() -> None:
    """Run the inference with options from the command line."""
    with exit_on_user_error():
        auto_cli(segment, prog="python -m infer", as_positional=False)
