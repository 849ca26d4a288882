"""The directory of a search: what was asked, and what came of it."""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from conventions.errors import UserError
from conventions.files import complete

from train.logger import METRICS
from train.run import RunDirectory, fingerprint
from train.tune import configuration
from train.tune.configuration import Tree
from train.tune.settings import TuneSettings
from train.tune.trials import TrialDirectory

SUMMARY = "search.json"
PLACED = (
    "config.yaml",
    "model.pt",
    "batch.hdf5",
    "val_batch.hdf5",
    "best.ckpt",
    "last.ckpt",
    METRICS,
)
"""What is taken from the best trial, before its manifest."""


@dataclass(frozen=True)
class Search:
    """A search of hyper-parameters.

    Attributes:
        settings: of the search.
        training: settings that all trials share.
        samples: parameters of each trial, by dotted name.
    """

    settings: TuneSettings
    training: Tree
    samples: Sequence[Mapping[str, Any]]

    @property
    def path(self) -> Path:
        """The directory."""
        return self.settings.directory

    def trial(self, number: int) -> TrialDirectory:
        """Directory of a trial."""
        return TrialDirectory(self.path / f"trial-{number:03d}")

    def description(self) -> dict[str, Any]:
        """What decides the outcome, by dotted name."""
        tree = {
            "training": {
                k: v for k, v in self.training.items() if k != "wandb"
            },
            "tune": {
                "space": self.settings.space,
                "num_samples": self.settings.num_samples,
                "grace_period": self.settings.grace_period,
                "reduction_factor": self.settings.reduction_factor,
            },
            "files": configuration.input_files(self.training),
        }
        return _flat(json.loads(json.dumps(tree)))

    @property
    def _asked(self) -> Path:
        return self.path / "asked.json"

    def check(self) -> None:
        """Compare what is asked with what was, if this search has begun.

        Raises:
            UserError: if another search of this name has; it is not touched.
        """
        if not self._asked.is_file():
            return
        asked = self.description()
        before = json.loads(self._asked.read_text())
        changes = [
            f"  {key}: {before.get(key)!r} -> {asked.get(key)!r}"
            for key in sorted(before.keys() | asked.keys())
            if before.get(key) != asked.get(key)
        ]
        if changes:
            more = f"\n  and {len(changes) - 5} more" * (len(changes) > 5)
            raise UserError(
                f"{self.path} is a search of the same name with other "
                "settings or files:\n" + "\n".join(changes[:5]) + more + "\n"
                "give another tune.name, or remove that directory"
            )

    def begin(self) -> None:
        """Write down what is asked."""
        with complete(self._asked) as temporary:
            text = json.dumps(self.description(), indent=1)
            temporary.write_text(text + "\n")

    def write_trials(self, working_directory: Path) -> list[dict[str, Any]]:
        """Write the configuration of each trial.

        Args:
            working_directory: what relative paths in it count from.

        Returns:
            What :class:`train.tune.trainable.Training` is given.
        """
        trials = []
        for number, sample in enumerate(self.samples):
            trial = self.trial(number)
            content = self.trial_configuration(number)
            text = yaml.safe_dump(content, sort_keys=False)
            if not trial.config.is_file():
                with complete(trial.config) as temporary:
                    temporary.write_text(text)
            trials.append(
                {
                    "directory": str(trial.path),
                    "parameters": dict(sample),
                    "max_epochs": _epochs(content),
                    "working_directory": str(working_directory),
                }
            )
        return trials

    def trial_configuration(self, number: int) -> Tree:
        """Settings of a trial's training."""
        varied = configuration.vary(self.training, self.samples[number])
        trainer = varied["trainer"] | self.settings.devices
        wandb = varied.get("wandb")
        if wandb is not None:
            name = f"{self.settings.name}-{number:03d}"
            wandb = wandb | {"group": self.settings.name, "name": name}
        return varied | {"trainer": trainer, "wandb": wandb}

    def table(self) -> list[dict[str, Any]]:
        """How each trial went."""
        rows = []
        for number, sample in enumerate(self.samples):
            trial = self.trial(number)
            record = trial.record()
            score = trial.score()
            rows.append(
                {
                    "trial": number,
                    "parameters": dict(sample),
                    "outcome": record.get("outcome", "lost"),
                    "epochs": max(trial.curve(), default=0),
                    "valid_auroc": None if math.isnan(score) else score,
                    "started": record.get("started"),
                    "ended": record.get("ended"),
                }
            )
        return rows

    def best(self) -> int:
        """Number of the trained trial with the highest score.

        Raises:
            UserError: if none was trained to its end; with what each said.
        """
        rows = self.table()
        trained = [
            row
            for row in rows
            if row["outcome"] == "finished" and row["valid_auroc"] is not None
        ]
        if trained:
            return max(trained, key=lambda row: row["valid_auroc"])["trial"]
        messages: dict[str, list[str]] = {}
        for row in rows:
            trial = self.trial(row["trial"])
            messages.setdefault(trial.message(), []).append(trial.path.name)
        lines = [f"  {', '.join(v)}: {k}" for k, v in messages.items()]
        raise UserError(
            f"no trial of {self.path} was trained to its end:\n"
            + "\n".join(lines)
        )

    def is_placed(self, run_dir: Path) -> bool:
        """Whether a directory has what this search found."""
        summary = run_dir / SUMMARY
        if not (summary.is_file() and (run_dir / "manifest.json").is_file()):
            return False
        return json.loads(summary.read_text())["digest"] == self.digest

    @property
    def digest(self) -> str:
        """Identifies the search by what decides its outcome."""
        content = [str(self.path), self.description()]
        return fingerprint(json.dumps(content, sort_keys=True), [])

    def place(self, run_dir: Path, number: int) -> None:
        """Copy a trial to where export looks for a training.

        Args:
            run_dir: the directory; the manifest is written last.
            number: of the trial.
        """
        RunDirectory(run_dir).start(self.digest)
        trial = self.trial(number)
        for name in PLACED:
            _copy(trial.path / name, run_dir / name)
        content = {
            "digest": self.digest,
            "name": self.settings.name,
            "directory": str(self.path),
            "best": number,
            "trials": self.table(),
        }
        with complete(run_dir / SUMMARY) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n")
        _copy(trial.manifest, run_dir / trial.manifest.name)


def _copy(source: Path, target: Path) -> None:
    with complete(target) as temporary:
        shutil.copyfile(source, temporary)


def _epochs(content: Tree) -> int:
    epochs = content["trainer"]["max_epochs"]
    if not isinstance(epochs, int) or epochs < 1:
        raise UserError(
            f"trainer.max_epochs: {epochs} is no number of epochs, which a "
            "search needs to compare its trials at"
        )
    return epochs


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves of nested settings, by dotted name."""
    if not isinstance(tree, dict):
        return {prefix[:-1]: tree}
    found: dict[str, Any] = {}
    for key, value in tree.items():
        step = "" if key == "init_args" else f"{key}."
        found |= _flat(value, prefix + step)
    return found
