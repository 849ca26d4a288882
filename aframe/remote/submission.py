"""A job and all that belongs to it, as manifests."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

FINGERPRINT = "aframe/fingerprint"
"""The annotation that says what a job was asked to do."""

KEEP_SECONDS = 86400
"""How long a job that has ended is kept, if nobody removes it."""

HIDDEN = "(not shown)"


@dataclass(frozen=True)
class Secret:
    """A secret; its values appear nowhere but in :meth:`Secret.manifest`.

    Attributes:
        name: of the object.
        values: by key.
    """

    name: str
    values: Mapping[str, str] = field(repr=False)

    def manifest(self, *, hidden: bool = False) -> dict[str, Any]:
        """The object.

        Args:
            hidden: whether to leave the values out.
        """
        shown = {k: HIDDEN if hidden else v for k, v in self.values.items()}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.name},
            "type": "Opaque",
            "stringData": shown,
        }


def labels(name: str) -> dict[str, str]:
    """Labels of all that belongs to a job.

    Args:
        name: of the job.
    """
    return {
        "app.kubernetes.io/name": "aframe",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": "aframe",
    }


@dataclass(frozen=True)
class Submission:
    """A job, its secrets, its files and, for a search, its Ray cluster.

    Attributes:
        name: of the job; that of a config map of its files.
        pod: the spec of the job's pod.
        secrets: that its pods are given.
        files: content by name.
        ray: the Ray cluster that must be ready before the job begins.
    """

    name: str
    pod: Mapping[str, Any]
    secrets: tuple[Secret, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    ray: Mapping[str, Any] | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all but the secrets."""
        content = [self.pod, self.files, self.ray]
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def job(self) -> dict[str, Any]:
        """The job, which begins when it is told to.

        The others need to know its id, to be removed with it, and so exist
        only after it. A pod that is evicted or loses its node is replaced;
        one that fails is not.
        """
        disruption = {"type": "DisruptionTarget", "status": "True"}
        ignore = {"action": "Ignore", "onPodConditions": [disruption]}
        template = {
            "metadata": {"labels": labels(self.name)},
            "spec": {**self.pod, "restartPolicy": "Never"},
        }
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": self.name,
                "labels": labels(self.name),
                "annotations": {FINGERPRINT: self.fingerprint},
            },
            "spec": {
                "suspend": True,
                "backoffLimit": 0,
                "podFailurePolicy": {"rules": [ignore]},
                "ttlSecondsAfterFinished": KEEP_SECONDS,
                "template": template,
            },
        }

    def belongings(
        self, uid: str | None = None, *, hidden: bool = False
    ) -> list[dict[str, Any]]:
        """What is removed with the job: files, secrets, Ray cluster.

        Args:
            uid: of the job; None: it is not there yet.
            hidden: whether to leave the values of secrets out.
        """
        found = [secret.manifest(hidden=hidden) for secret in self.secrets]
        if self.files:
            found.append(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": self.name},
                    "data": dict(self.files),
                }
            )
        if self.ray:
            found.append(json.loads(json.dumps(self.ray)))
        for manifest in found:
            manifest["metadata"]["labels"] = labels(self.name)
            if uid is not None:
                owner = {"apiVersion": "batch/v1", "kind": "Job"}
                owner |= {"name": self.name, "uid": uid}
                manifest["metadata"]["ownerReferences"] = [owner]
        return found

    def text(self) -> str:
        """All manifests as YAML, without the values of secrets."""
        manifests = [self.job(), *self.belongings(hidden=True)]
        return (
            "# The job is begun once the others are there, each with an owner "
            "reference to it.\n"
            + yaml.safe_dump_all(manifests, sort_keys=False)
        )
