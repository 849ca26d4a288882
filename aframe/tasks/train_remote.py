"""Training elsewhere, or wherever its outputs go."""

import law
import luigi
from storage import is_remote

from aframe.base import AframeTask
from aframe.remote import pods
from aframe.remote.submission import Submission
from aframe.targets import FileTarget
from aframe.tasks.remote import PodParameters, RemoteTraining
from aframe.tasks.train import TrainingParameters, TrainLocal, gpu_arguments

YAML = "train.yaml"
"""Name of the training's configuration file in the pod."""


class TrainRemote(PodParameters, RemoteTraining, TrainLocal):
    """Train the network in a pod of a Kubernetes cluster.

    Outputs and inputs are in object storage.
    """

    project = ""
    config_sections = ("TrainLocal",)

    def device_arguments(self) -> list[str]:
        """The pod's GPUs."""
        return gpu_arguments(self.request_gpus) if self.request_gpus else []

    def submission(self) -> Submission:
        """The job that trains, with its secrets and its YAML file."""
        name = self.remote_name("train")
        secrets = self.secrets(name)
        checkout, keys = self.checkout(name)
        pod = self.pod(
            "train",
            self.pod_resources(self.shm_size),
            secrets,
            command=["python", *self.arguments(f"{pods.FILES}/{YAML}")],
            files=name,
            checkout=checkout,
        )
        return Submission(
            name,
            pod.spec(),
            secrets=(*secrets, *keys),
            files={YAML: self.yaml_file().read_text()},
        )

    def run(self) -> None:
        """Submit the job, or find it, and wait for its end.

        Raises:
            UserError: for what a user can mend.
            RuntimeError: if it failed otherwise.
        """
        self.check_strays()
        self.run_remotely(self.submission(), "train")


class Train(TrainingParameters, AframeTask):
    """Train the network: in a pod if outputs go to S3, else here."""

    config_sections = ("TrainLocal",)

    def training(self) -> TrainLocal:
        """The task that does it."""
        remote = is_remote(self.run_directory)
        given = {
            name: getattr(self, name)
            for name, value in vars(TrainingParameters).items()
            if isinstance(value, luigi.Parameter)
        }
        return (TrainRemote if remote else TrainLocal).req(self, **given)

    def requires(self) -> dict[str, law.Task]:
        """The same."""
        return {"training": self.training()}

    def output(self) -> dict[str, FileTarget]:
        """That of the training."""
        return self.training().output()

    def complete(self) -> bool:
        """Whether the training is: its files are not of one moment."""
        return self.training().complete()

    def run(self) -> None:
        """Nothing: the training has run."""
