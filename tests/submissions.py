"""What is submitted to a cluster, and the run of it."""

from aframe.remote.api import Cluster
from aframe.remote.jobs import Run
from aframe.remote.pods import Pod, Resources
from aframe.remote.submission import Secret, Submission

NAME = "aframe-train-0123456789"
SECRET = "hunter2-hunter2"


def submission(**more):
    resources = Resources(cpus=8, memory="32G", gpus=1, min_gpu_memory=15000)
    pod = Pod("train", "image:1", resources, command=["true"])
    return Submission(
        NAME,
        pod.spec(),
        secrets=(Secret(f"{NAME}-s3", {"AWS_SECRET_ACCESS_KEY": SECRET}),),
        files={"train.yaml": "a: 1\n"},
        **more,
    )


def ray_submission():
    spec = {"workerGroupSpecs": [{"replicas": 2}]}
    metadata = {"name": NAME}
    cluster = {"apiVersion": "ray.io/v1", "kind": "RayCluster"}
    return submission(ray=cluster | {"metadata": metadata, "spec": spec})


def command_of(job):
    [container] = job["spec"]["template"]["spec"]["containers"]
    return container["command"]


class Running:
    """Runs a submission.

    Attributes:
        said: lines about the job.
        shown: lines of its log.
    """

    def __init__(self):
        self.said, self.shown = [], []

    def __call__(self, asked=None, patience=2.0, **more):
        self.said, self.shown = [], []
        cluster = Cluster.connect("", "", patience)
        Run(
            cluster,
            asked or submission(),
            "train",
            say=self.said.append,
            show=self.shown.append,
            poll_interval=0.01,
            **more,
        ).complete()
