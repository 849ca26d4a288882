"""How a job stands, in words. All arguments are objects of the API."""

from collections.abc import Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]

HOPELESS = ("InvalidImageName", "ErrImageNeverPull")
"""Reasons that no time mends."""

STUCK = (
    *("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"),
    *(
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    ),
)
"""Reasons that a mistake has, or a cluster for a while."""

KILLED = {137: "killed (SIGKILL)", 143: "ended from outside (SIGTERM)"}


def condition(item: Object, kind: str) -> Object | None:
    """A condition of an object that holds, None if it does not."""
    found = item.get("status", {}).get("conditions") or []
    return next(
        (c for c in found if c["type"] == kind and c["status"] == "True"),
        None,
    )


def ended(job: Object) -> str | None:
    """How a job ended: ``complete`` or ``failed``; None: it has not."""
    if condition(job, "Complete"):
        return "complete"
    return "failed" if condition(job, "Failed") else None


def containers(pod: Object) -> list[Object]:
    """States of a pod's containers, those that prepare first."""
    status = pod.get("status", {})
    return [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]


def waiting(pod: Object) -> tuple[str, str] | None:
    """Why a container of a pod does not begin: reason and message."""
    for container in containers(pod):
        state = (container.get("state") or {}).get("waiting") or {}
        reason = state.get("reason", "")
        if reason in (*HOPELESS, *STUCK):
            return reason, state.get("message", "")
    return None


def terminated(pod: Object) -> tuple[str, Object] | None:
    """The first container that ended badly: its name, and how."""
    for container in containers(pod):
        state = (container.get("state") or {}).get("terminated")
        if state and state.get("exitCode"):
            return container["name"], state
    return None


def is_running(pod: Object, container: str) -> bool:
    """Whether a container has begun, so that it has a log."""
    return any(
        found["name"] == container
        and not (found.get("state") or {}).get("waiting")
        and found.get("state")
        for found in containers(pod)
    )


def words(pod: Object | None) -> str:
    """How a pod stands.

    Args:
        pod: None: there is none yet.
    """
    if pod is None:
        return "pending: no pod yet"
    phase = pod.get("status", {}).get("phase", "Unknown")
    if phase == "Pending":
        return f"pending: {_pending(pod)}"
    if phase == "Running":
        node = pod.get("spec", {}).get("nodeName")
        return f"running on {node}" if node else "running"
    known = {
        "Succeeded": "succeeded",
        "Failed": f"failed: {failure(pod)}",
        "Unknown": "unknown: its node does not answer",
    }
    return known.get(phase, phase.lower())


def _pending(pod: Object) -> str:
    conditions = pod.get("status", {}).get("conditions") or []
    for found in conditions:
        if found["type"] == "PodScheduled" and found["status"] == "False":
            reason = found.get("reason", "").lower()
            return f"{reason}: {found.get('message', '')}".strip(": ")
    stuck = waiting(pod)
    if stuck:
        return ": ".join(filter(None, stuck))
    for container in containers(pod):
        if (container.get("state") or {}).get("running"):
            return f"{container['name']} prepares it"
    return "its image is being fetched"


def failure(pod: Object) -> str:
    """Why a pod failed."""
    status = pod.get("status", {})
    bad = terminated(pod)
    if bad is None:
        reason = status.get("reason") or "unknown reason"
        return ": ".join(filter(None, [reason, status.get("message")]))
    name, state = bad
    code, reason = state["exitCode"], state.get("reason", "Error")
    if reason == "OOMKilled":
        limit = _memory_limit(pod, name)
        text = f"OOMKilled: {name} needed more memory than it was given"
        return f"{text} ({limit})" if limit else text
    if status.get("reason"):  # Evicted and the like say more than the code
        found = [status["reason"], status.get("message")]
        return ": ".join(filter(None, found))
    text = f"{name} ended with exit code {code}"
    if code in KILLED:
        text += f", {KILLED[code]}"
    elif reason not in ("Error", "Completed"):
        text += f" ({reason})"
    return ": ".join(filter(None, [text, state.get("message")]))


def _memory_limit(pod: Object, name: str) -> str:
    spec = pod.get("spec", {})
    for container in [
        *(spec.get("initContainers") or []),
        *(spec.get("containers") or []),
    ]:
        if container["name"] == name:
            limits = (container.get("resources") or {}).get("limits") or {}
            return limits.get("memory", "")
    return ""


def ray(cluster: Object | None, pods: Sequence[Object]) -> str | None:
    """How a Ray cluster gets on.

    Args:
        cluster: None: there is none yet.
        pods: of the cluster.

    Returns:
        None once the head and all workers are ready.
    """
    wanted = _replicas(cluster)
    found = {"head": 0, "worker": 0}
    for pod in pods:
        kind = pod["metadata"].get("labels", {}).get("ray.io/node-type")
        if kind in found and condition(pod, "Ready"):
            found[kind] += 1
    if cluster is not None and found["head"] and found["worker"] >= wanted:
        return None
    text = (
        f"the Ray cluster has {found['worker']} of {wanted} workers ready"
        if found["head"]
        else "the Ray cluster has no head yet"
    )
    late = [words(pod) for pod in pods if not condition(pod, "Ready")]
    return "; ".join([text, *sorted(set(late))])


def _replicas(cluster: Object | None) -> int:
    groups = (cluster or {}).get("spec", {}).get("workerGroupSpecs", [])
    return sum(group.get("replicas", 0) for group in groups)
