"""What a search needs of a finished run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conventions.errors import UserError
from ledger.events import EventSet
from p_astro import Pastro
from preprocessing.manifest import Manifest, sha256

from infer.settings import SearchSettings


@dataclass(frozen=True)
class Run:
    """A trained, exported and calibrated network.

    Attributes:
        directory: of the run, as made by ``aframe-init``.
        weights: the network, ``model.pt``.
        manifest: of the model repository.
        settings: with which the background was searched.
        background: the background's events and livetime ``Tb``.
        p_astro: probability that an event is astrophysical, if the run has
            a model of it.
    """

    directory: Path
    weights: Path
    manifest: Manifest
    settings: SearchSettings
    background: EventSet
    p_astro: Pastro | None


P_ASTRO = "results/sensitive_volume/p_astro.hdf5"
"""The model of p_astro; a run with few events has none."""

PIECES = {
    "training/manifest.json": "aframe.TrainLocal",
    "training/model.pt": "aframe.TrainLocal",
    "results/model_repository/manifest.json": "aframe.ExportLocal",
    "results/infer/settings.json": "aframe.Infer",
    "results/infer/background.hdf5": "aframe.Infer",
}


def load(directory: Path) -> Run:
    """Load a run and check that its parts belong together.

    Args:
        directory: of the run, as made by ``aframe-init``.

    Raises:
        UserError: naming the piece that is missing and what makes it, or
            the pieces that are of different networks, settings or
            backgrounds.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(
            f"there is no run directory {directory}: aframe-init offline "
            f"--mode demo -d {directory} makes one"
        )
    for name, task in PIECES.items():
        if not (directory / name).is_file():
            raise UserError(
                f"{directory / name} is missing: the task {task} of the run "
                f"makes it; {directory / 'run.sh'} runs all tasks"
            )
    trained, weights, exported, searched, events = (
        directory / name for name in PIECES
    )
    training = Manifest.read(trained)
    manifest = Manifest.read(exported)
    settings = SearchSettings.read(searched)
    _same_weights(
        {
            trained: training.weights_sha256,
            weights: sha256(weights),
            exported: manifest.weights_sha256,
            searched: settings.weights_sha256,
        }
    )
    manifest.check(
        str(trained),
        exported,
        **training.preprocessing.to_dict(),
    )
    manifest.check(
        str(searched),
        exported,
        psd_length=settings.psd_length,
        inference_sampling_rate=settings.inference_sampling_rate,
    )
    background = EventSet.read(events)
    if not background.Tb > 0:
        raise UserError(
            f"{events} has a livetime Tb of {background.Tb} s: without "
            "background there is no false-alarm rate"
        )
    return Run(
        directory,
        weights,
        manifest,
        settings,
        background,
        _p_astro(directory / P_ASTRO, events),
    )


def _p_astro(path: Path, events: Path) -> Pastro | None:
    if not path.is_file():
        return None
    model = Pastro.read(path)
    made_of = model.origin.get("background_sha256", "nothing that it names")
    found = sha256(events)
    if made_of != found:
        raise UserError(
            f"{path} was made of another background (SHA-256 "
            f"{made_of[:12]}...) than {events} ({found[:12]}...): remove "
            f"the results in {path.parent} and run the task "
            "aframe.SensitiveVolume again"
        )
    return model


def _same_weights(checksums: Mapping[Path, str]) -> None:
    if len(set(checksums.values())) > 1:
        listed = "\n".join(
            f"  {checksum[:12]}... {path}"
            for path, checksum in checksums.items()
        )
        raise UserError(
            "the parts of the run are of different networks (SHA-256 of the "
            f"weights):\n{listed}\nrun the tasks that made the older ones "
            "again"
        )
