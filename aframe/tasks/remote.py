"""What tasks share that compute on a Kubernetes cluster."""

import hashlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import law
import luigi
from conventions.errors import UserError
from storage import is_remote

from aframe import config, messages, sections
from aframe.parameters import (
    BoolParameter,
    FloatParameter,
    IntParameter,
)
from aframe.remote import credentials
from aframe.remote.pods import Checkout, Pod, Resources
from aframe.remote.submission import Secret, Submission
from aframe.targets import files


class PodParameters:
    """What the pod of a training is given."""

    request_gpus = IntParameter(
        default=1, significant=False, description="GPUs of the pod"
    )
    min_gpu_memory = IntParameter(
        default=15000,
        significant=False,
        description="memory that each GPU has at least, MiB",
    )
    cpus_per_gpu = IntParameter(
        default=8,
        significant=False,
        description="cores for each GPU; without GPUs, of the pod",
    )
    memory_per_cpu = FloatParameter(
        default=4.0,
        significant=False,
        description="memory for each core, GB",
    )

    def pod_resources(self, shm: str) -> Resources:
        """The same, as Kubernetes counts.

        Args:
            shm: size of ``/dev/shm``.

        Raises:
            UserError: for amounts that no pod can have.
        """
        cpus = max(self.request_gpus, 1) * self.cpus_per_gpu
        return Resources(
            cpus=cpus,
            memory=f"{cpus * self.memory_per_cpu:g}G",
            gpus=self.request_gpus,
            min_gpu_memory=self.min_gpu_memory,
            shm=shm,
        )


class RemoteTraining(ABC):
    """Makes a training run its program on a Kubernetes cluster.

    Not in a container of this machine: ``project`` is to be empty.
    """

    remote_image = luigi.Parameter(
        default="",
        significant=False,
        description="image of the pods, with projects/train installed and "
        "its python first on PATH",
    )
    shm_size = luigi.Parameter(
        default="8Gi",
        significant=False,
        description="size of /dev/shm, by which processes that load data "
        "hand it over; a part of the pod's memory",
    )
    git_repository = luigi.Parameter(
        default="",
        significant=False,
        description="address of a repository whose code is run in place of "
        "the image's; empty: the image's",
    )
    git_revision = luigi.Parameter(
        default="",
        significant=False,
        description="commit, tag or branch of git_repository",
    )
    dry_run = BoolParameter(
        default=False,
        significant=False,
        description="print what would be submitted, without the values of "
        "secrets, and end",
    )

    interactive_params = (*law.Task.interactive_params, "dry_run")

    @abstractmethod
    def submission(self) -> Submission:
        """What is submitted; nothing is asked for it.

        Raises:
            UserError: for what is missing.
        """

    def _dry_run(self, value: bool) -> bool:
        """Print it; law calls this before anything is run."""
        sys.stdout.write(self.submission().text())
        return False

    def requires(self) -> dict[str, law.Task]:
        """The data, all where pods see them.

        Raises:
            UserError: naming what is not.
        """
        tasks = super().requires()
        places = {"run_dir": self.run_directory}
        places["train_background"] = tasks["background"].data_directory
        for name in ("waveforms", "validation"):
            place = tasks[name].output().file.parent
            places[f"train_waveforms of {name}"] = place
        local = [f"{k} is {v}" for k, v in places.items() if not is_remote(v)]
        if local:
            raise UserError(
                f"{self.task_family} runs where this machine's files are not "
                f"seen, but {', '.join(local)}: give directories such as "
                "s3://bucket/train"
            )
        return tasks

    def remote_name(self, kind: str) -> str:
        """Name of the job that makes this output, whoever submits it.

        Args:
            kind: of job.
        """
        place = str(self.run_directory)
        digest = hashlib.sha256(place.encode()).hexdigest()
        return f"aframe-{kind}-{digest[:10]}"

    def secrets(self, name: str) -> list[Secret]:
        """Secrets whose keys become environment variables of the pods.

        Args:
            name: of the job.
        """
        found = [credentials.s3(f"{name}-s3")]
        if self.is_shown:
            found.append(credentials.wandb(f"{name}-wandb"))
        return found

    def checkout(self, name: str) -> tuple[Checkout | None, list[Secret]]:
        """The revision that is run, and the key that reads it.

        Args:
            name: of the job.

        Raises:
            UserError: if one of the parameters lacks the other, or the
                address holds a password, which is not repeated.
        """
        if not self.git_repository:
            if self.git_revision:
                raise UserError(
                    f"git_revision: {self.git_revision} is of no repository; "
                    "give git_repository"
                )
            return None, []
        if urlsplit(self.git_repository).password:
            raise UserError(
                "git_repository holds a password, which all would see: use "
                "ssh and a key ([luigi_ssh])"
            )
        if not self.git_revision:
            raise UserError(
                f"git_repository: {self.git_repository} has many revisions; "
                "give git_revision, best a commit"
            )
        secrets = []
        if credentials.needs_key(self.git_repository):
            secrets.append(credentials.git(f"{name}-git"))
        found = Checkout(
            self.git_repository,
            self.git_revision,
            secret=secrets[0].name if secrets else None,
            packages=_packages(config.ROOT),
        )
        return found, secrets

    def pod(
        self,
        container: str,
        resources: Resources,
        secrets: Iterable[Secret],
        more_environment: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Pod:
        """A pod that runs the task's program or a part of it.

        Args:
            container: its name.
            resources: of the container.
            secrets: whose keys become variables.
            more_environment: variables that are no secret.
            more: of :class:`aframe.remote.pods.Pod`.

        Raises:
            UserError: if no image is given.
        """
        if not self.remote_image:
            raise UserError(
                f"{self.task_family} has no remote_image: name the image of "
                "the pods (docs/remote.md says what is in it)"
            )
        return Pod(
            container,
            self.remote_image,
            resources,
            environment=credentials.environment(self.run_directory)
            | dict(more_environment or {}),
            secrets={s.name: tuple(s.values) for s in secrets},
            pull_secret=sections.kubernetes().image_pull_secret,
            **more,
        )

    def run_remotely(self, submission: Submission, container: str) -> None:
        """Run a job to its end.

        Args:
            submission: what is submitted.
            container: whose log is shown.

        Raises:
            UserError: for what a user can mend.
            RuntimeError: if the job failed, or the cluster does not answer.
        """
        try:
            from aframe.remote.api import Cluster
            from aframe.remote.jobs import Run
        except ModuleNotFoundError as error:
            if error.name != "kubernetes":
                raise
            raise UserError(
                f"{self.task_family} needs the client of Kubernetes: "
                "pip install 'kubernetes>=36,<37'"
            ) from None
        section = sections.kubernetes()
        cluster = Cluster.connect(
            section.context, section.namespace, section.patience
        )
        Run(
            cluster,
            submission,
            container,
            say=lambda text: messages.say(self, text),
            show=_show,
            poll_interval=section.poll_interval,
        ).complete()
        missing = [t.path for t in files(self.output()) if not t.exists()]
        if missing:
            raise UserError(
                f"job {submission.name} succeeded, but left no "
                f"{', '.join(missing)}: does its image have this version of "
                "aframe?"
            )


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _packages(root: Path) -> list[str]:
    """Directories of a checkout that a training imports from."""
    libs = sorted((root / "libs").glob("*/pyproject.toml"))
    found = [root / "projects" / "train", *(path.parent for path in libs)]
    return [str(path.relative_to(root)) for path in found]
