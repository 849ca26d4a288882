"""The search of the measurement of skill."""

from pathlib import Path

from conventions.progress import plain
from efficiency import Skill
from infer.direct import DirectEngine
from infer.main import SlideFiles, infer_segment
from ledger.events import EventSet, RecoveredInjectionSet
from preprocessing.manifest import Manifest
from simulated import PSD_LENGTH, TEST_START, Responses

INFERENCE = {
    "psd_length": PSD_LENGTH,
    "inference_sampling_rate": 4.0,
    "batch_size": 128,
    "platform": "python",
}
# Outputs are not averaged: the network itself sums over time.
SEARCH = {
    "integration_window_length": 0.25,
    "cluster_window_length": 8.0,
    "recovery_window": 1.0,
}


def search(folder: Path, noise: Path, seconds: int, slides: int) -> None:
    """Search slides; those that hold injections with them, too."""
    trained = folder / "training"
    manifest = Manifest.read(trained / "manifest.json").extended(**INFERENCE)
    injections = folder / "injections.hdf5"
    injected = Responses.read(injections).shift[:, 1].max()
    found = folder / "search"
    found.mkdir(exist_ok=True)
    files = [
        SlideFiles(
            shifts=(0.0, float(i)),
            background=found / f"background-{i}.hdf5",
            livetime=found / f"livetime-{i}.hdf5",
            injections=injections if i <= injected else None,
            foreground=(
                found / f"foreground-{i}.hdf5" if i <= injected else None
            ),
        )
        for i in range(1, slides + 1)
        if not (found / f"livetime-{i}.hdf5").exists()
    ]
    engine = DirectEngine(trained, manifest)
    # A few at a time, so that a killed search loses little.
    for first in range(0, len(files), 2):
        infer_segment(
            engine,
            background=noise,
            start=TEST_START,
            stop=TEST_START + seconds,
            slides=files[first : first + 2],
            progress=plain,
            **SEARCH,
        )


def read(folder: Path) -> Skill:
    """Collect the slides."""
    found = folder / "search"
    noise = EventSet.concatenate(
        EventSet.read(path) for path in sorted(found.glob("background-*"))
    )
    signals = RecoveredInjectionSet.concatenate(
        RecoveredInjectionSet.read(path)
        for path in sorted(found.glob("foreground-*"))
    )
    return Skill(noise, signals.snr.round(6), signals.detection_statistic)
