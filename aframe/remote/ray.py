"""A Ray cluster as the KubeRay operator reads it (``ray.io/v1``)."""

from typing import Any

from aframe.remote.pods import Pod

JOB_LABEL = "aframe/job"
CLIENT_PORT = 10001
PORTS = {"gcs-server": 6379, "client": CLIENT_PORT}


def endpoint(name: str) -> str:
    """Where the Ray Client server of a cluster answers its pods.

    Args:
        name: of the cluster, after which KubeRay names the head's service.
    """
    return f"{name}-head-svc:{CLIENT_PORT}"


def cluster(
    name: str, head: Pod, worker: Pod, replicas: int
) -> dict[str, Any]:
    """The manifest of a Ray cluster.

    Args:
        name: of the cluster.
        head: the pod that leads; it computes nothing.
        worker: a pod that computes.
        replicas: number of workers.
    """
    # The operator selects pods by labels of its own, and these leave them.
    metadata = {"labels": {JOB_LABEL: name}}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": name},
        "spec": {
            "headGroupSpec": {
                "serviceType": "ClusterIP",
                "rayStartParams": {"num-cpus": "0"},
                "template": {
                    "metadata": metadata,
                    "spec": head.spec(),
                },
            },
            "workerGroupSpecs": [
                {
                    "groupName": "trials",
                    "replicas": replicas,
                    "minReplicas": replicas,
                    "maxReplicas": replicas,
                    "rayStartParams": {},
                    "template": {
                        "metadata": metadata,
                        "spec": worker.spec(),
                    },
                }
            ],
        },
    }
