"""The directory of one trial: a training, and how it went."""

import csv
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from conventions.files import complete

SCORE = "valid_auroc"

METRICS = "metrics.csv"
"""That of ``train.logger``, which each trial's worker would have to import
together with Lightning."""

Outcome = Literal["finished", "stopped", "failed"]
"""Trained to its end, ended early for its scores, or ended by an error."""


@dataclass(frozen=True)
class TrialDirectory:
    """Where one trial writes.

    Attributes:
        path: the directory, that of a run of ``python -m train fit``.
    """

    path: Path

    @property
    def config(self) -> Path:
        """What the training is given."""
        return self.path / "trial.yaml"

    @property
    def log(self) -> Path:
        """What the training says."""
        return self.path / "log.txt"

    @property
    def manifest(self) -> Path:
        """Written last: a training that has it is complete."""
        return self.path / "manifest.json"

    @property
    def _record(self) -> Path:
        return self.path / "trial.json"

    def record(self) -> dict[str, Any]:
        """How the trial went: empty if it has not begun.

        Returns:
            ``started`` and, at the end, ``ended`` (s since the epoch) and
            ``outcome``; a training that has finished has an outcome, even
            if it was killed with all that watched it.
        """
        if not self._record.is_file():
            return {}
        found = json.loads(self._record.read_text())
        if self.manifest.is_file():
            ended = self.manifest.stat().st_mtime
            found = {"ended": ended, **found, "outcome": "finished"}
        return found

    def begin(self) -> None:
        """Note that the training is about to start, or to continue."""
        self._write({"started": time.time()})

    def end(self, outcome: Outcome) -> None:
        """Note how it ended."""
        content = {"ended": time.time(), "outcome": outcome}
        self._write(self.record() | content)

    def _write(self, content: Mapping[str, Any]) -> None:
        with complete(self._record) as temporary:
            temporary.write_text(json.dumps(content) + "\n")

    def curve(self) -> dict[int, float]:
        """Score by number of epochs trained, in order."""
        path = self.path / METRICS
        if not path.is_file():
            return {}
        with path.open(newline="") as file:
            return {
                int(float(row["epoch"])) + 1: float(row[SCORE])
                for row in csv.DictReader(file)
                if row.get(SCORE)
            }

    def score(self) -> float:
        """The highest score, that of the weights; NaN without any."""
        scores = [s for s in self.curve().values() if not math.isnan(s)]
        return max(scores, default=math.nan)

    def message(self) -> str:
        """The error that ended it, as far as its log tells."""
        if not self.log.is_file():
            return "it never began"
        lines = self.log.read_text(errors="replace").split("\n")
        for number in reversed(range(len(lines))):
            if lines[number].startswith("error: "):
                return "\n".join(lines[number:]).strip()
        return next((line for line in reversed(lines) if line.strip()), "")
