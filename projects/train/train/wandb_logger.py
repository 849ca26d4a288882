"""Weights & Biases as a logger that cannot stop a training."""

import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from conventions.errors import UserError
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn

STEP = "trainer/global_step"
TIMEOUTS = {"init_timeout": 60.0, "finish_timeout": 120.0, "login_timeout": 60}
"""Seconds that W&B is waited for: for a run to begin, for its last data to be
sent, and for a person to log in. ``WANDB_INIT_TIMEOUT`` and the like change
them."""


@dataclass(frozen=True)
class WandbSettings:
    """Where a training is shown in Weights & Biases.

    The key is no setting: it comes from ``WANDB_API_KEY`` or from
    ``wandb login``. Other ``WANDB_*`` variables work as W&B describes
    them, such as ``WANDB_MODE=offline``.

    Attributes:
        project: of W&B; by default ``WANDB_PROJECT``, or aframe.
        name: of the run; by default W&B invents one.
        group: of the run, such as those of one search.
        entity: user or team that owns the project.
        tags: of the run.
    """

    project: str | None = None
    name: str | None = None
    group: str | None = None
    entity: str | None = None
    tags: list[str] = field(default_factory=list)


class WandbLogger(Logger):
    """Sends metrics and tables of pictures to one run of W&B.

    If W&B cannot be reached when the training begins, the run is kept in
    files that ``wandb sync`` sends later; if it fails later, the training
    goes on without it. Either way a warning says so.

    Args:
        settings: names of the run.
        run_dir: W&B's own files go to ``run_dir/wandb``.
    """

    def __init__(self, settings: WandbSettings, run_dir: Path) -> None:
        super().__init__()
        self.settings = settings
        self.run_dir = Path(run_dir)
        self._run: Any = None
        self._tables: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The project."""
        default = os.environ.get("WANDB_PROJECT") or "aframe"
        return self.settings.project or default

    @property
    def version(self) -> str:
        """One training has one run."""
        return ""

    @rank_zero_only
    def start(self, run_id: str, config: Mapping[str, Any]) -> None:
        """Begin the run, or continue it.

        Args:
            run_id: identifies the run; a continued training has the same.
            config: settings of the training, to be shown.

        Raises:
            UserError: if ``wandb`` is not installed or has no key.
        """
        try:
            import wandb
        except ImportError as error:
            raise UserError(
                f"--wandb needs the package wandb ({error}): install it with "
                "the extra wandb of train"
            ) from error
        for name in ("DATA", "CACHE"):  # a container may have no home
            directory = self.run_dir / "wandb" / name.lower()
            os.environ.setdefault(f"WANDB_{name}_DIR", str(directory))
        timeouts = {
            name: seconds
            for name, seconds in TIMEOUTS.items()
            if f"WANDB_{name.upper()}" not in os.environ
        }
        options = asdict(self.settings) | {
            "project": self.name,
            "tags": self.settings.tags or None,  # or those of WANDB_TAGS
            "id": run_id,
            "resume": "allow",
            "dir": str(self.run_dir),
            "config": dict(config),
        }
        try:
            run = wandb.init(**options, settings=wandb.Settings(**timeouts))
        except wandb.errors.UsageError as error:
            raise UserError(
                f"W&B refuses to begin a run: {error}; set WANDB_API_KEY, or "
                "WANDB_MODE=offline to keep the run in files"
            ) from error
        except Exception as error:  # whatever happens there, we train here
            rank_zero_warn(
                f"W&B cannot be reached ({error}): the run is kept in "
                f"{self.run_dir / 'wandb'}, `wandb sync` sends it later"
            )
            with self._harmless():
                wandb.teardown()  # it still holds the run
                del options["resume"]  # which only the server could tell
                self._begin(wandb.init(**options, mode="offline"))
        else:
            self._begin(run)

    def _begin(self, run: Any) -> None:
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP)
        self._run = run

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        """Turn whatever W&B raises into the end of logging to it."""
        try:
            yield
        except Exception as error:  # a training is worth more than its log
            self._run = None
            rank_zero_warn(
                f"W&B failed ({type(error).__name__}: {error}): the training "
                "goes on without it"
            )

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Do nothing: the run began with all settings."""

    @rank_zero_only
    def log_metrics(
        self, metrics: Mapping[str, float], step: int | None = None
    ) -> None:
        """Send metrics of a step."""
        self._send(dict(metrics), step or 0)

    @rank_zero_only
    def add_pictures(
        self, table: str, epoch: int, pictures: Mapping[str, Path], step: int
    ) -> None:
        """Add a row to a table.

        Args:
            table: its name in W&B.
            epoch: first column of the row.
            pictures: PNG files by the name of their column, the same ones
                in each row.
            step: at which they were made.
        """
        if self._run is None:
            return
        import wandb

        with self._harmless():
            if table not in self._tables:
                columns = ["epoch", *pictures]
                self._tables[table] = wandb.Table(
                    columns=columns, log_mode="INCREMENTAL"
                )
            images = [wandb.Image(str(path)) for path in pictures.values()]
            self._tables[table].add_data(epoch, *images)
        self._send({table: self._tables.get(table)}, step)

    def _send(self, content: dict[str, Any], step: int) -> None:
        if self._run is not None:
            with self._harmless():
                self._run.log(content | {STEP: step})

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the run, waiting for a limited time for its last data."""
        if self._run is not None:
            with self._harmless():
                self._run.finish(exit_code=0 if status == "success" else 1)
            self._run = None
