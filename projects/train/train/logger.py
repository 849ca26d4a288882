"""Metrics as a CSV file that survives a kill."""

import csv
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conventions.files import complete
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

METRICS = "metrics.csv"


class MetricsLogger(Logger):
    """One row a step at which something is logged.

    The file is rewritten as a whole. A training that continues keeps the
    rows of before, except those of steps that it repeats.

    Args:
        run_dir: where the file is written.
        keep: whether to keep the rows that are there.
    """

    def __init__(self, run_dir: Path, keep: bool = False) -> None:
        super().__init__()
        self.path = Path(run_dir) / METRICS
        self._rows: dict[int, dict[str, Any]] = {}
        self._earlier: dict[int, dict[str, Any]] = {}
        if keep and self.path.is_file():
            with self.path.open(newline="") as file:
                for row in csv.DictReader(file):
                    self._earlier[int(row["step"])] = row

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "metrics"

    @property
    def version(self) -> str:
        """One training has one file."""
        return ""

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Do nothing: ``config.yaml`` holds the settings."""

    @rank_zero_only
    def log_metrics(
        self, metrics: Mapping[str, float], step: int | None = None
    ) -> None:
        """Remember metrics of a step."""
        step = step or 0
        if not self._rows:
            earlier = self._earlier.items()
            self._rows = {k: row for k, row in earlier if k < step}
        self._rows.setdefault(step, {}).update(metrics)

    @rank_zero_only
    def save(self) -> None:
        """Write the file."""
        if not self._rows:
            return
        names = sorted({k for row in self._rows.values() for k in row})
        columns = ["step", *(name for name in names if name != "step")]
        with (
            complete(self.path) as temporary,
            temporary.open("w", newline="") as file,
        ):
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            for step, row in sorted(self._rows.items()):
                writer.writerow(row | {"step": step})

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the file at the end."""
        self.save()
