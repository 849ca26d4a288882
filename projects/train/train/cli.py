"""The command line: ``python -m train fit --config CONFIG --run_dir DIR``."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conventions.errors import UserError, exit_on_user_error
from conventions.files import complete
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import (
    LearningRateMonitor,
    TQDMProgressBar,
)
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from storage import is_remote, location

from train import artifacts, reports
from train.callbacks import EpochSeed, FiniteLoss
from train.checkpoints import CompleteCheckpointIO, MovableCheckpoint
from train.data import AframeDataset
from train.logger import MetricsLogger
from train.model import AframeModule
from train.plots import ValidationPlots
from train.remote import Mirror, Uploads
from train.run import RunDirectory, fingerprint
from train.wandb_logger import WandbLogger, WandbSettings


class AframeCLI(LightningCLI):
    """LightningCLI with one directory for all that a run writes.

    A killed ``fit`` continues from its last checkpoint when it is started
    again with the same settings and the same input files.
    """

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add ``--run_dir``; write linked settings once."""
        parser.add_argument(
            "--run_dir",
            type=str,
            required=True,
            help="Directory for weights, checkpoints, metrics and manifest; "
            "a path, or s3://bucket/key.",
        )
        parser.add_argument(
            "--wandb",
            type=WandbSettings | None,
            default=None,
            help="Where to show the training in Weights & Biases; null: not.",
        )
        parser.link_arguments("seed_everything", "data.init_args.seed")
        parser.link_arguments(
            "data.num_ifos",
            "model.init_args.arch.init_args.num_ifos",
            apply_on="instantiate",
        )

    @property
    def settings(self) -> Any:
        """Settings of the chosen subcommand."""
        return self.config[self.subcommand]

    def dump(self) -> str:
        """All settings as YAML."""
        return self.parser.dump(self.config, skip_link_targets=False)

    def instantiate_classes(self) -> None:
        """Build the objects; show a user's mistake as it was raised.

        Raises:
            UserError: if a setting is refused, freed from the reports that
                the argument parser wraps around it.
        """
        try:
            super().instantiate_classes()
        except ValueError as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, UserError):
                cause = cause.__cause__ or cause.__context__
            raise cause or error from None

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Decide where to continue; bind what is written to the run."""
        self.mirror = self._mirror()
        path = self.mirror and self.mirror.scratch
        run = RunDirectory(path or Path(self.settings.run_dir))
        digest = fingerprint(self._decisive(), self.datamodule.files.listing())
        self.run = run
        if self.subcommand == "fit":
            self.datamodule.setup()  # a mistake must not cost earlier results
            if self.mirror:
                self.mirror.fetch()
                if run.resumable(digest) is None:
                    self.mirror.clear()
            run.start(digest)
            resumed = run.resumable(digest)
            self.config_init.fit.ckpt_path = resumed and str(resumed)
        else:
            resumed = None
        trainer = self.config_init[self.subcommand].trainer
        loggers = _several(trainer.logger)
        callbacks = _several(trainer.callbacks)
        callbacks += self._progress(trainer.enable_progress_bar)
        if self.subcommand == "fit":
            loggers = self._loggers(keep=resumed is not None) + loggers
            callbacks += self._watchers()
        trainer.callbacks = callbacks
        return super().instantiate_trainer(
            default_root_dir=str(run.path),
            logger=loggers,
            plugins=[*_several(trainer.plugins), CompleteCheckpointIO()],
            use_distributed_sampler=False,
            **kwargs,
        )

    def _mirror(self) -> Mirror | None:
        """What keeps the directory in a store, if it is in one."""
        place = location(self.settings.run_dir)
        if not is_remote(place):
            return None
        return Mirror(place, self.datamodule.files.cache)

    def _loggers(self, keep: bool) -> list[Logger]:
        """The CSV file, and W&B where it is asked for."""
        path, wandb = self.run.path, self.config_init.fit.wandb
        self.wandb = wandb and WandbLogger(wandb, path)
        metrics = MetricsLogger(path, keep=keep)
        return [metrics, self.wandb] if self.wandb else [metrics]

    def _watchers(self) -> list[Callback]:
        """What a training does beside learning."""
        path = self.run.path
        return [
            LearningRateMonitor("step"),
            EpochSeed(self.settings.seed_everything),
            FiniteLoss(path),
            ValidationPlots(path),
            *([Uploads(self.mirror)] if self.mirror else []),
            *self._checkpoints(path),
        ]

    @staticmethod
    def _checkpoints(directory: Path) -> list[MovableCheckpoint]:
        """The best epoch, and the last: save_last skips those not best."""
        return [
            MovableCheckpoint(
                directory,
                filename=name,
                monitor=monitor,
                mode="max",
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            )
            for name, monitor in (("best", "valid_auroc"), ("last", None))
        ]

    @staticmethod
    def _progress(enabled: bool | None) -> list[TQDMProgressBar]:
        return [] if enabled is False else [TQDMProgressBar(refresh_rate=10)]

    def _decisive(self) -> str:
        settings = self.settings.clone()
        for name in ("run_dir", "config", "ckpt_path", "wandb"):
            settings.pop(name, None)
        settings.data.init_args.pop("cache_dir", None)
        return str(settings.as_dict())

    @rank_zero_only
    def before_fit(self) -> None:
        """Write the effective configuration beside the weights."""
        if self.wandb:
            self.wandb.start(self.run.run_id, self.settings.as_dict())
        with complete(self.run.path / "config.yaml") as temporary:
            temporary.write_text(self.dump())

    @rank_zero_only
    def after_fit(self) -> None:
        """Write the report, and what export and inference need."""
        reports.write(self.run.path)
        artifacts.write(self.run.path, self.model, self.datamodule)
        if self.mirror:
            self.mirror.push()


def _several(value: Any) -> list[Any]:
    """What the trainer takes as one, as several, or as none."""
    if isinstance(value, Sequence):
        return list(value)
    return [] if value is None or isinstance(value, bool) else [value]


@exit_on_user_error()
def main(args: list[str] | None = None) -> None:
    """Run the command line.

    Args:
        args: arguments, by default those of the process.
    """
    given = sys.argv[1:] if args is None else args
    if given[:1] == ["report"]:
        reports.main(given[1:])
        return
    AframeCLI(
        AframeModule,
        AframeDataset,
        subclass_mode_model=True,
        subclass_mode_data=True,
        save_config_callback=None,
        seed_everything_default=101588,
        args=args,
    )
