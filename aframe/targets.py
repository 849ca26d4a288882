"""Outputs of tasks, and the one place that names them."""

from collections.abc import Iterable
from typing import Any

import law
from law.util import flatten
from storage import Location

from aframe.files import FileTarget

ENSEMBLE = "aframe-stream"
NETWORK = "aframe"
MODELS = (NETWORK, ENSEMBLE, "preprocessor", "snapshotter")
"""What a model repository holds beside its manifest."""

NETWORK_FILES = {"onnx": "model.onnx", "tensorrt": "model.plan"}
"""The network's file, on platforms that do not read TorchScript."""

FIGURES = (
    "volume_vs_far",
    "background_rate",
    "found_missed",
    "recovered_fraction",
)
"""Plots of the sensitive volume."""


def files(outputs: Any) -> list[FileTarget]:
    """All single files in the nested output of a task.

    Args:
        outputs: what a task's ``output`` returns.
    """
    found: list[FileTarget] = []
    for target in flatten(outputs):
        if isinstance(target, law.TargetCollection):
            found += files(target.targets)
        else:
            found.append(target)
    return found


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(float(value))


def segments(directory: Location) -> FileTarget:
    """The list of segments beside the strain of ``directory``."""
    return FileTarget(directory / "segments.txt")


def background(directory: Location, start: float, stop: float) -> FileTarget:
    """Strain of one segment, named by GPS start and duration in s."""
    name = f"background-{_number(start)}-{_number(stop - start)}.hdf5"
    return FileTarget(directory / name)


def branch(
    directory: Location, start: float, stop: float, shifts: Iterable[float]
) -> Location:
    """Directory of what is made for one segment at one shift.

    Args:
        directory: of the merged output.
        start: GPS start of the segment, s.
        stop: GPS end of the segment, s.
        shifts: shift of each interferometer, s.
    """
    span = f"{_number(start)}-{_number(stop - start)}"
    return directory / "branches" / "-".join([span, *map(_number, shifts)])


def injections(directory: Location) -> dict[str, FileTarget]:
    """Accepted injections with waveforms, and rejected parameters."""
    return {
        "waveforms": FileTarget(directory / "waveforms.hdf5"),
        "rejected": FileTarget(directory / "rejected-parameters.hdf5"),
    }


def training(run_dir: Location) -> dict[str, FileTarget]:
    """What a training leaves; the manifest is written last."""
    return {
        "weights": FileTarget(run_dir / "model.pt"),
        "checkpoint": FileTarget(run_dir / "best.ckpt"),
        "last_checkpoint": FileTarget(run_dir / "last.ckpt"),
        "batch": FileTarget(run_dir / "batch.hdf5"),
        "validation_batch": FileTarget(run_dir / "val_batch.hdf5"),
        "manifest": FileTarget(run_dir / "manifest.json"),
    }


def repository(directory: Location, platform: str) -> dict[str, FileTarget]:
    """A Triton model repository: manifest, configs, and what they run.

    Args:
        directory: where it is.
        platform: how the server runs the network.
    """
    configs = {
        name: FileTarget(directory / name / "config.pbtxt") for name in MODELS
    }
    files = [f"{name}/1/model.pt" for name in MODELS if name != ENSEMBLE]
    if platform == "python":
        files += [f"{name}/1/model.py" for name in MODELS if name != ENSEMBLE]
    elif platform in NETWORK_FILES:
        files.remove(f"{NETWORK}/1/model.pt")
        files.append(f"{NETWORK}/1/{NETWORK_FILES[platform]}")
    programs = {name: FileTarget(directory / name) for name in files}
    manifest = FileTarget(directory / "manifest.json")
    return {"manifest": manifest, **configs, **programs}


def slide(
    directory: Location, *, injected: bool, timeseries: bool
) -> dict[str, FileTarget]:
    """Results of the search of one segment at one shift.

    Args:
        directory: where they are.
        injected: whether injections were searched too.
        timeseries: whether the outputs of the network are kept.
    """
    names = ["background", "livetime"]
    names += ["foreground"] * injected + ["timeseries"] * timeseries
    return {name: FileTarget(directory / f"{name}.hdf5") for name in names}


def events(
    directory: Location, *, zero_lag: bool, timeseries: bool = False
) -> dict[str, FileTarget]:
    """Merged results of a search.

    Args:
        directory: where they are.
        zero_lag: whether the unshifted data were searched.
        timeseries: whether the outputs of the network were kept; their file
            is an index by start and shift.
    """
    names = ["background", "foreground", "livetime"]
    names += ["0lag"] * zero_lag + ["timeseries"] * timeseries
    merged = {name: FileTarget(directory / f"{name}.hdf5") for name in names}
    return merged | {"settings": FileTarget(directory / "settings.json")}


def vetos(directory: Location) -> FileTarget:
    """Vetoed times by category and interferometer."""
    return FileTarget(directory / "vetos.hdf5")


def sensitive_volume(directory: Location) -> dict[str, FileTarget]:
    """Numbers, report, summary and plots of the sensitive volume."""
    plots = {name: FileTarget(directory / f"{name}.png") for name in FIGURES}
    return {
        "volume": FileTarget(directory / "sensitive_volume.hdf5"),
        "report": FileTarget(directory / "report.html"),
        "summary": FileTarget(directory / "summary.json"),
        **plots,
    }
