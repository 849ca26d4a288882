"""The search itself: trials side by side, the worse ones stopped early."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler

from train.tune.settings import TuneSettings
from train.tune.trainable import EPOCH, Training
from train.tune.trials import SCORE, TrialDirectory

LOST_MACHINES = 3
"""Times that a trial begins again whose machine or worker was lost."""


class Scheduler(AsyncHyperBandScheduler):
    """ASHA that knows the scores of before when a search continues."""

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Enter the scores that a trial already has."""
        super().on_trial_add(tune_controller, trial)
        bracket = self._trial_info[trial.trial_id]
        path = Path(trial.config["trial"]["directory"])
        for epoch, score in TrialDirectory(path).curve().items():
            bracket.on_result(trial, epoch, score)


class Lines(tune.Callback):
    """Says on stderr what happens, one line an epoch of a trial."""

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """Say the score."""
        sys.stderr.write(
            f"{trial}: epoch {result[EPOCH]}, {SCORE} {result[SCORE]:.4f}"
            f"{', ' + result['outcome'] if 'outcome' in result else ''}\n"
        )


def _name(trial: Trial) -> str:
    return Path(trial.config["trial"]["directory"]).name


def run(settings: TuneSettings, trials: Sequence[dict[str, Any]]) -> None:
    """Run all trials to their ends, or go on with a search.

    Ray must be initialised. Whether a trial has finished is told by its
    directory, so that a search can go on from any state that Ray has kept.

    Args:
        settings: of the search.
        trials: what :class:`~train.tune.trainable.Training` is given.
    """
    directory = settings.directory
    trainable = tune.with_resources(
        Training, tune.PlacementGroupFactory([settings.resources])
    )
    # Ray misses files of its own loggers, which would repeat our metrics.csv
    logging.getLogger("ray.tune.analysis").setLevel(logging.ERROR)
    if _restorable(directory):
        tuner = tune.Tuner.restore(
            str(directory), trainable, resume_errored=True
        )
    else:
        epochs = max(trial["max_epochs"] for trial in trials)
        scheduler = Scheduler(
            time_attr=EPOCH,
            metric=SCORE,
            mode="max",
            max_t=max(epochs, settings.grace_period),
            grace_period=settings.grace_period,
            reduction_factor=settings.reduction_factor,
        )
        tuner = tune.Tuner(
            trainable,
            param_space={"trial": tune.grid_search(list(trials))},
            tune_config=tune.TuneConfig(
                scheduler=scheduler,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=tune.RunConfig(
                name=settings.name,
                storage_path=str(settings.storage_dir),
                failure_config=tune.FailureConfig(LOST_MACHINES),
                callbacks=[Lines()],
                checkpoint_config=tune.CheckpointConfig(
                    checkpoint_at_end=False
                ),
                verbose=0,
            ),
        )
    tuner.fit()


def _restorable(directory: Path) -> bool:
    """Whether Ray has kept enough of a search to go on with it."""
    state = any(directory.glob("experiment_state-*.json"))
    return state and tune.Tuner.can_restore(str(directory))
