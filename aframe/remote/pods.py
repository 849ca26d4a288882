"""Pods that compute: what they are given, as Kubernetes reads it.

Field names are those of the Kubernetes API, v1.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conventions.errors import UserError

GPU = "nvidia.com/gpu"
GPU_MEMORY = "nvidia.com/gpu.memory"
"""The node label in which NVIDIA's device discovery gives MiB a GPU."""

FILES = "/etc/aframe"
"""Where the files of the configuration are mounted."""

CODE = "/code"
GIT_SECRET = "/etc/git-secret"
GIT_IMAGE = "registry.k8s.io/git-sync/git-sync:v4.4.0"
GIT_GROUP = 65533
"""The group that the image of git-sync runs as; it may read the key."""

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)([kMGTP]i?|Ki)?")
_FACTORS = {"": 1, "k": 1e3, "Ki": 2**10} | {
    letter + end: (2 ** (10 * power) if end else 10 ** (3 * power))
    for power, letter in enumerate("MGTP", start=2)
    for end in ("", "i")
}


def size(name: str, quantity: str) -> float:
    """Bytes of a Kubernetes quantity.

    Args:
        name: of the setting, for the error.
        quantity: such as ``16Gi`` or ``500M``.

    Raises:
        UserError: if it is no such quantity.
    """
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise UserError(
            f"{name}: {quantity!r} is no amount of memory that Kubernetes "
            "reads, such as 16Gi or 500M"
        )
    return float(match[1]) * _FACTORS[match[2] or ""]


@dataclass(frozen=True)
class Resources:
    """What a container is given, and no less.

    Attributes:
        cpus: cores.
        memory: a Kubernetes quantity; ``/dev/shm`` is part of it.
        gpus: of NVIDIA.
        min_gpu_memory: that each GPU has at least, MiB.
        shm: size of ``/dev/shm``, a quantity; empty: Kubernetes' 64 MB.

    Raises:
        UserError: for amounts that no container can have.
    """

    cpus: float
    memory: str
    gpus: int = 0
    min_gpu_memory: int = 0
    shm: str = ""

    def __post_init__(self) -> None:
        if not self.cpus > 0:
            raise UserError(f"CPUs: {self.cpus:g} is not above 0")
        if self.gpus < 0 or self.min_gpu_memory < 0:
            raise UserError(
                f"GPUs: {self.gpus} with {self.min_gpu_memory} MiB each are "
                "negative"
            )
        memory = size("memory", self.memory)
        if self.shm and size("shm_size", self.shm) >= memory:
            raise UserError(
                f"shm_size: {self.shm} is part of the container's memory, "
                f"and not below it ({self.memory})"
            )

    def amounts(self) -> dict[str, dict[str, str]]:
        """Requests and limits, which are the same."""
        found = {"cpu": f"{self.cpus:g}", "memory": self.memory}
        if self.gpus:
            found[GPU] = str(self.gpus)
        return {"requests": dict(found), "limits": found}

    def affinity(self) -> dict[str, Any]:
        """Nodes whose GPUs have the memory, as a part of a pod's spec."""
        if not (self.gpus and self.min_gpu_memory):
            return {}
        # there is "greater than", and nothing for "at least"
        wanted = {
            "key": GPU_MEMORY,
            "operator": "Gt",
            "values": [str(self.min_gpu_memory - 1)],
        }
        terms = {"nodeSelectorTerms": [{"matchExpressions": [wanted]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
        return {"affinity": {"nodeAffinity": required}}


@dataclass(frozen=True)
class Checkout:
    """A revision of a repository that takes the place of an image's code.

    Attributes:
        repository: address of the repository.
        revision: commit, tag or branch.
        secret: name of the secret with ``ssh`` and ``known_hosts``; None
            for a repository that anyone can read.
        packages: directories in the repository that Python imports from.
    """

    repository: str
    revision: str
    secret: str | None = None
    packages: Sequence[str] = ()

    def python_path(self) -> str:
        """Where Python looks first."""
        return ":".join(f"{CODE}/git/aframe/{path}" for path in self.packages)

    def container(self) -> dict[str, Any]:
        """The container that fetches the revision and ends."""
        arguments = [
            f"--repo={self.repository}",
            f"--ref={self.revision}",
            f"--root={CODE}/git",
            "--link=aframe",
            "--one-time",
            "--depth=1",
            "--submodules=off",
        ]
        mounts = [{"name": "code", "mountPath": CODE}]
        if self.secret:
            arguments += [
                f"--ssh-key-file={GIT_SECRET}/ssh",
                f"--ssh-known-hosts-file={GIT_SECRET}/known_hosts",
            ]
            mount = {"mountPath": GIT_SECRET, "readOnly": True}
            mounts.append({"name": "git-secret", **mount})
        return {
            "name": "git-sync",
            "image": GIT_IMAGE,
            "args": arguments,
            "volumeMounts": mounts,
            "resources": Resources(1, "1Gi").amounts(),
        }

    def volumes(self) -> list[dict[str, Any]]:
        """Volumes of the pod that the container needs."""
        found: list[dict[str, Any]] = [{"name": "code", "emptyDir": {}}]
        if self.secret:
            # ssh refuses a key that others can read
            secret = {"secretName": self.secret, "defaultMode": 0o400}
            found.append({"name": "git-secret", "secret": secret})
        return found


@dataclass(frozen=True)
class Pod:
    """A pod of one container that computes.

    Attributes:
        container: name of the container.
        image: of the container.
        resources: of the container.
        command: what it runs; None: what the image or an operator says.
        environment: variables and their values, none of them secret.
        secrets: keys, which become variables, by name of their secret.
        files: name of the config map that is mounted at :data:`FILES`.
        checkout: a revision that takes the place of the image's code.
        claim: name of a volume claim, and where it is mounted.
        pull_secret: name of the secret that lets the image be fetched.
        ports: by name.
    """

    container: str
    image: str
    resources: Resources
    command: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: str | None = None
    checkout: Checkout | None = None
    claim: tuple[str, str] | None = None
    pull_secret: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)

    def spec(self) -> dict[str, Any]:
        """The pod's specification."""
        spec: dict[str, Any] = {
            "containers": [self._container()],
            "volumes": [volume for volume, _ in self._volumes()],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            **self.resources.affinity(),
        }
        if self.checkout:
            spec["initContainers"] = [self.checkout.container()]
            spec["volumes"] += self.checkout.volumes()
            spec["securityContext"] = {"fsGroup": GIT_GROUP}
        if self.pull_secret:
            spec["imagePullSecrets"] = [{"name": self.pull_secret}]
        return spec

    def _container(self) -> dict[str, Any]:
        mounts = [mount for _, mount in self._volumes()]
        environment = {"PYTHONUNBUFFERED": "1", **self.environment}
        if self.checkout:
            mounts.append({"name": "code", "mountPath": CODE})
            environment["PYTHONPATH"] = self.checkout.python_path()
        found = {
            "name": self.container,
            "image": self.image,
            "resources": self.resources.amounts(),
            "env": [
                *({"name": k, "value": v} for k, v in environment.items()),
                *self._secret_environment(),
            ],
            "volumeMounts": mounts,
        }
        if self.command is not None:
            found["command"] = list(self.command)
        if self.ports:
            found["ports"] = [
                {"name": name, "containerPort": port}
                for name, port in self.ports.items()
            ]
        return found

    def _secret_environment(self) -> list[dict[str, Any]]:
        """One variable a key: KubeRay copies these to what it adds."""
        return [
            {
                "name": key,
                "valueFrom": {"secretKeyRef": {"name": name, "key": key}},
            }
            for name, keys in self.secrets.items()
            for key in keys
        ]

    def _volumes(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Volumes, and where each is mounted."""
        found = []
        if self.resources.shm:
            limit = {"medium": "Memory", "sizeLimit": self.resources.shm}
            mount = {"name": "shm", "mountPath": "/dev/shm"}
            found.append(({"name": "shm", "emptyDir": limit}, mount))
        if self.files:
            volume = {"name": "files", "configMap": {"name": self.files}}
            mount = {"name": "files", "mountPath": FILES, "readOnly": True}
            found.append((volume, mount))
        if self.claim:
            name, place = self.claim
            claim = {"persistentVolumeClaim": {"claimName": name}}
            mount = {"name": "storage", "mountPath": place}
            found.append(({"name": "storage", **claim}, mount))
        return found
