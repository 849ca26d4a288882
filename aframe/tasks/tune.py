"""Search of hyper-parameters in place of a training."""

from typing import ClassVar

import luigi

from aframe import config
from aframe.parameters import FloatParameter, IntParameter, PathParameter
from aframe.targets import FileTarget
from aframe.tasks.train import TrainLocal

DEFAULT_SPACE = (
    config.ROOT / "aframe" / "pipelines" / "sandbox" / "configs" / "tune.yaml"
)


class TuneTask(TrainLocal):
    """Search hyper-parameters on a Ray cluster, or on this machine.

    What it leaves is what a training leaves: the weights of the best trial.
    """

    config_sections = ("TrainLocal",)
    program: ClassVar = ("train.tune",)

    name = luigi.Parameter(
        default="tune",
        description="of the search, its directory and its W&B group",
    )
    storage_dir = PathParameter(
        default=None,
        description="where the directory of the search goes, under the same "
        "path on all machines; empty: the run's directory",
    )
    space = PathParameter(
        default=None,
        description="YAML file of what is searched; empty: the shipped one",
    )
    num_samples = IntParameter(default=8, description="trials")
    cpus_per_gpu = FloatParameter(
        default=1.0,
        significant=False,
        description="CPUs for each GPU; without GPUs, for each process",
    )
    gpus_per_worker = FloatParameter(
        default=0.0,
        significant=False,
        description="GPUs of each process of a trial; a fraction lets that "
        "many trials share one",
    )
    num_workers = IntParameter(
        default=1, description="processes that train one trial"
    )
    grace_period = IntParameter(
        default=10, description="epochs before which no trial is stopped"
    )
    reduction_factor = FloatParameter(
        default=4.0,
        description="of the trials that come to a rung, one in so many goes "
        "on",
    )
    endpoint = luigi.Parameter(
        default="",
        significant=False,
        description="host:port of the Ray Client server of a cluster; "
        "empty: this machine",
    )

    def output(self) -> dict[str, FileTarget]:
        """Those of a training, and how each trial went."""
        search = FileTarget(self.run_directory / "search.json")
        return super().output() | {"search": search}

    def outer_arguments(self) -> list[str]:
        """Arguments of the search, beside those of its trainings."""
        settings = {
            "name": self.name,
            "storage_dir": self.storage_dir or self.run_directory,
            "space": self.space or DEFAULT_SPACE,
            "num_samples": self.num_samples,
            "cpus_per_gpu": self.cpus_per_gpu,
            "gpus_per_worker": self.gpus_per_worker,
            "num_workers": self.num_workers,
            "grace_period": self.grace_period,
            "reduction_factor": self.reduction_factor,
        }
        if self.endpoint:
            settings["endpoint"] = self.endpoint
        arguments = [f"--tune.{key}={v}" for key, v in settings.items()]
        return [*super().outer_arguments(), *arguments]


class TuneLocal(TuneTask):
    """Search hyper-parameters on this machine."""

    config_sections = ("TuneTask", "TrainLocal")

    endpoint = ""
