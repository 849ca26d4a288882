"""Command line of the inference on one segment and shift."""

from pathlib import Path

from conventions.errors import exit_on_user_error
from conventions.progress import plain
from jsonargparse import auto_cli
from preprocessing.manifest import Manifest

from infer.main import infer_segment
from infer.server import serve


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
    injections: Path | None = None,
    foreground_output: Path | None = None,
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
        injections: the injection file; none by default.
        foreground_output: where the recovered injections go.
        address: of a running server; by default one is started.
        image: container image of the server that is started.
        triton_root: where scripts/install-triton put the server that is
            started without an image.
        gpus: comma-separated ids of the GPUs of the server.
        log_file: of the server.
    """

    def search(at: str) -> None:
        infer_segment(
            background=background,
            injections=injections,
            start=start,
            stop=stop,
            shifts=shifts,
            address=at,
            manifest=Manifest.read(repository / "manifest.json"),
            integration_window_length=integration_window_length,
            cluster_window_length=cluster_window_length,
            recovery_window=recovery_window,
            background_output=background_output,
            foreground_output=foreground_output,
            progress=plain,
        )

    if address is not None:
        search(address)
        return
    with serve(
        repository,
        image=image,
        triton_root=triton_root,
        gpus=gpus,
        log_file=log_file,
        progress=plain,
    ) as started:
        search(started.grpc)


def main() -> None:
    """Run the inference with options from the command line."""
    with exit_on_user_error():
        auto_cli(segment, prog="python -m infer", as_positional=False)
