"""Search of hyper-parameters in place of a training."""

from pathlib import Path
from typing import ClassVar

import law
import luigi
import storage
from conventions.errors import UserError

from aframe import config, files, sections
from aframe.parameters import (
    FloatParameter,
    IntParameter,
    LocalPathParameter,
    PathParameter,
)
from aframe.remote import credentials, pods, ray
from aframe.remote.pods import Resources
from aframe.remote.submission import Submission
from aframe.targets import FileTarget
from aframe.tasks.remote import RemoteTraining
from aframe.tasks.train import TrainLocal
from aframe.tasks.train_remote import YAML

DEFAULT_SPACE = (
    config.ROOT / "aframe" / "pipelines" / "sandbox" / "configs" / "tune.yaml"
)

PASSED = (
    *("name", "num_samples", "num_workers", "gpus_per_worker"),
    *("cpus_per_gpu", "grace_period", "reduction_factor"),
)
"""Parameters that the search's program takes by the same names."""

SPACE = "space.yaml"
"""Name of the file of what is searched, in the pod."""

STORAGE = "/storage"
"""Where pods see the volume that they share."""

DRIVER = Resources(cpus=1, memory="8G")
"""Of the pod that asks Ray, and trains nothing itself."""


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
    storage_dir = LocalPathParameter(
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

    def space_file(self) -> Path:
        """What is searched.

        Raises:
            UserError: if the file is not there.
        """
        file = self.space or DEFAULT_SPACE
        if not storage.exists(file):
            raise UserError(f"space: there is no file {file}")
        return files.local(file)

    def outer_arguments(self) -> list[str]:
        """Arguments of the search, beside those of its trainings."""
        settings = {name: getattr(self, name) for name in PASSED}
        settings |= self.place_settings()
        arguments = [f"--tune.{key}={v}" for key, v in settings.items()]
        return [*super().outer_arguments(), *arguments]

    def place_settings(self) -> dict[str, str]:
        """Settings that depend on where the search runs, by name."""
        directory = config.require_local(
            self.storage_dir or self.run_directory, "storage_dir"
        )
        found = {
            "storage_dir": str(directory),
            "space": str(self.space_file()),
        }
        return found | ({"endpoint": self.endpoint} if self.endpoint else {})


class TuneLocal(TuneTask):
    """Search hyper-parameters on this machine."""

    config_sections = ("TuneTask", "TrainLocal")

    endpoint = ""


class TuneRemote(RemoteTraining, TuneTask):
    """Search hyper-parameters on a Ray cluster that is made for it.

    It is on a Kubernetes cluster with the KubeRay operator, as
    ``[luigi_ray_head]`` and ``[luigi_ray_worker]`` say. With ``endpoint``,
    the Ray cluster that answers there is used, and none is made.
    """

    project = ""
    config_sections = ("TuneTask", "TrainLocal")

    def requires(self) -> dict[str, law.Task]:
        """The data, where the search sees them."""
        if self.endpoint:
            return TuneTask.requires(self)
        return super().requires()

    def place_settings(self) -> dict[str, str]:
        """Where the pods have the space, the search and Ray."""
        if self.endpoint:
            return super().place_settings()
        name = self.remote_name("tune")
        return {
            "storage_dir": f"{STORAGE}/{name}",
            "space": f"{pods.FILES}/{SPACE}",
            "endpoint": ray.endpoint(name),
        }

    def submission(self) -> Submission:
        """The job that searches, and the Ray cluster that it asks.

        Raises:
            UserError: for what is missing.
        """
        if self.endpoint:
            raise UserError(
                f"endpoint: nothing is submitted to Kubernetes with the Ray "
                f"cluster {self.endpoint}; leave it empty to make one"
            )
        claim = sections.kubernetes().storage_claim
        if not claim:
            raise UserError(
                "storage_claim of [luigi_kubernetes] is empty: all pods of a "
                "search write to one file system, so name a "
                "PersistentVolumeClaim with the access mode ReadWriteMany"
            )
        name = self.remote_name("tune")
        secrets = [*self.secrets(name), credentials.ray(f"{name}-ray")]
        checkout, keys = self.checkout(name)
        shared = {
            "checkout": checkout,
            "claim": (claim, STORAGE),
            "more_environment": {"RAY_AUTH_MODE": "token"},
        }
        arguments = self.arguments(f"{pods.FILES}/{YAML}")
        driver = self.pod(
            "tune",
            DRIVER,
            secrets,
            command=["python", *arguments],
            files=name,
            **shared,
        )
        head = self.pod(
            "ray-head", self._head(), secrets, ports=ray.PORTS, **shared
        )
        worker = self.pod("ray-worker", self._worker(), secrets, **shared)
        replicas = sections.ray_worker().replicas
        return Submission(
            name,
            driver.spec(),
            secrets=(*secrets, *keys),
            files={
                YAML: self.yaml_file().read_text(),
                SPACE: self.space_file().read_text(),
            },
            ray=ray.cluster(name, head, worker, replicas),
        )

    def _head(self) -> Resources:
        section = sections.ray_head()
        return Resources(section.cpus, section.memory, shm=self.shm_size)

    def _worker(self) -> Resources:
        section = sections.ray_worker()
        units = max(section.gpus_per_replica, 1)
        return Resources(
            cpus=units * section.cpus_per_gpu,
            memory=f"{units * section.memory_per_gpu:g}G",
            gpus=section.gpus_per_replica,
            min_gpu_memory=section.min_gpu_memory,
            shm=self.shm_size,
        )

    def run(self) -> None:
        """Search, and wait for the end.

        Raises:
            UserError: for what a user can mend.
            RuntimeError: if it failed otherwise.
        """
        if self.endpoint:
            super().run()
            return
        self.check_strays()
        self.run_remotely(self.submission(), "tune")
