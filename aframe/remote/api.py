"""The little of the Kubernetes API that is needed, by the official client.

Objects are given and returned as the API writes them in JSON.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from conventions.errors import UserError
from kubernetes import client
from kubernetes import config as access
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

Object = dict[str, Any]

GROUP, VERSION, PLURAL = "ray.io", "v1", "rayclusters"
"""Where KubeRay's clusters are in the API."""

KINDS = {
    "Job": (client.BatchV1Api, "job"),
    "Secret": (client.CoreV1Api, "secret"),
    "ConfigMap": (client.CoreV1Api, "config_map"),
}
"""The API of each other kind of object, and its word for it."""

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 30.0

PASSING = (429, 500, 502, 503, 504)
"""Answers that another try may not get."""

GUIDE = "docs/remote.md lists the rights that are needed"


class UnreachableError(UserError):
    """The cluster has not answered for too long; what runs there runs on."""


@dataclass(frozen=True)
class Cluster:
    """A namespace of a Kubernetes cluster.

    Attributes:
        client: that asks the API.
        namespace: where everything is.
        patience: how long an answer is waited for, s.
    """

    client: client.ApiClient
    namespace: str
    patience: float

    @classmethod
    def connect(
        cls, context: str, namespace: str, patience: float
    ) -> "Cluster":
        """Find the cluster as ``kubectl`` does; nothing is asked yet.

        Args:
            context: of the kubeconfig file; empty: its current one, or in a
                pod that pod's cluster.
            namespace: empty: that of the context.
            patience: how long an answer is waited for, s.

        Raises:
            UserError: if there is no such context, or none at all.
        """
        settings = client.Configuration()
        try:
            access.load_kube_config(
                context=context or None, client_configuration=settings
            )
        except access.ConfigException as error:
            if context or not _is_in_pod(settings):
                raise UserError(
                    "there is no Kubernetes cluster to go to: "
                    f"{error}. KUBECONFIG names the configuration file, by "
                    "default ~/.kube/config, and context of "
                    "[luigi_kubernetes] one of its contexts"
                ) from None
        settings.retries = False  # they are made here, also for what is new
        namespace = namespace or _namespace(context) or "default"
        return cls(client.ApiClient(settings), namespace, patience)

    def create(self, manifest: Mapping[str, Any]) -> bool:
        """Create an object.

        Returns:
            Whether it is new; False if one of its name was there.

        Raises:
            UserError: if the cluster refuses it.
            UnreachableError: if there is no answer.
        """
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        function, place = self._function("create", kind)
        what = f"create {kind} {name}"
        try:
            self._ask(what, function, *place, dict(manifest))
        except ApiException as error:
            if error.status != 409:
                raise self._refused(what, error) from None
            return False
        return True

    def read(self, kind: str, name: str) -> Object | None:
        """An object, None if there is none."""
        return self._named("read", kind, name)

    def begin(self, name: str) -> None:
        """Let a job that waits for it begin."""
        change = {"spec": {"suspend": False}}
        self._named("patch", "Job", name, change)

    def delete(self, kind: str, name: str) -> None:
        """Delete an object and what it owns, if it is there.

        It is gone when all it owns is, pods among them.
        """
        self._named(
            "delete",
            kind,
            name,
            propagation_policy="Foreground",
        )

    def pods(self, selector: str) -> list[Object]:
        """Pods with a label, the oldest first."""
        core = client.CoreV1Api(self.client)
        found = self._allowed(
            "list pods",
            core.list_namespaced_pod,
            self.namespace,
            label_selector=selector,
        )
        return sorted(found["items"], key=_created)

    def warnings(self, name: str) -> list[str]:
        """What the cluster says about an object that does not get on.

        Args:
            name: of the object.
        """
        core = client.CoreV1Api(self.client)
        found = self._allowed(
            "list events",
            core.list_namespaced_event,
            self.namespace,
            field_selector=f"involvedObject.name={name},type=Warning",
        )
        events = sorted(found["items"], key=_created)
        return [event.get("message", "") for event in events]

    def log(
        self,
        pod: str,
        container: str,
        *,
        follow: bool,
        since: float | None,
        silence: float,
    ) -> BaseHTTPResponse:
        """The log of a container, each line with its time.

        Args:
            pod: name of the pod.
            container: its name.
            follow: whether to wait for more until the container ends.
            since: how old its lines may be, s; None: all.
            silence: time without a line that ends the reading, s.

        Raises:
            ApiException: if the log is not there.
            HTTPError: if the connection fails.
        """
        core = client.CoreV1Api(self.client)
        recent = {} if since is None else {"since_seconds": int(since) + 1}
        return core.read_namespaced_pod_log(
            pod,
            self.namespace,
            container=container,
            follow=follow,
            timestamps=True,
            _preload_content=False,
            _request_timeout=(CONNECT_SECONDS, silence),
            **recent,
        )

    def _function(
        self, verb: str, kind: str
    ) -> tuple[Callable[..., Any], tuple[str, ...]]:
        """What does something to objects, and its arguments for where."""
        if kind == "RayCluster":
            source = client.CustomObjectsApi(self.client)
            verb = {"read": "get"}.get(verb, verb)
            word = "custom_object"
            place = (GROUP, VERSION, self.namespace, PLURAL)
        else:
            api, word = KINDS[kind]
            source, place = api(self.client), (self.namespace,)
        return getattr(source, f"{verb}_namespaced_{word}"), place

    def _named(
        self, verb: str, kind: str, name: str, *body: Any, **options: Any
    ) -> Object | None:
        """Do something to an object; None if it is not there."""
        function, place = self._function(verb, kind)
        arguments = (*place, name) if len(place) > 1 else (name, *place)
        what = f"{verb} {kind} {name}"
        try:
            return self._ask(what, function, *arguments, *body, **options)
        except ApiException as error:
            if error.status == 404:
                return None
            raise self._refused(what, error) from None

    def _allowed(
        self, what: str, function: Callable[..., Any], *a: Any, **k: Any
    ) -> Object:
        try:
            return self._ask(what, function, *a, **k)
        except ApiException as error:
            raise self._refused(what, error) from None

    def _ask(
        self, what: str, function: Callable[..., Any], *a: Any, **k: Any
    ) -> Object:
        """Ask until there is an answer that counts."""
        deadline = time.monotonic() + self.patience
        wait = 0.5
        limit = (CONNECT_SECONDS, ANSWER_SECONDS)
        while True:
            try:
                answer = function(*a, **k, _request_timeout=limit)
                return self.client.sanitize_for_serialization(answer)
            except ApiException as error:
                if error.status not in PASSING:
                    raise
                reason = f"{error.status} {error.reason}: {_message(error)}"
            except HTTPError as error:
                reason = str(error)
            if time.monotonic() + wait > deadline:
                raise UnreachableError(
                    f"the Kubernetes cluster {self.client.configuration.host} "
                    f"did not {what} within {self.patience:g} s ({reason}); "
                    "what runs there runs on, and the same command finds it "
                    "again"
                )
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    def _refused(self, what: str, error: ApiException) -> UserError:
        """What an answer means that another try would get again."""
        where = f"namespace {self.namespace} of {self._host}"
        text = _message(error)
        if error.status == 401:
            return UserError(
                f"{self._host} does not know who asks ({text}): log in, so "
                "that kubectl works"
            )
        if error.status == 403:
            return UserError(f"you may not {what} in {where}: {text}\n{GUIDE}")
        if error.status == 404 and "RayCluster" in what:
            return UserError(
                f"{self._host} has no KubeRay operator (ray.io/v1), which "
                "makes Ray clusters"
            )
        return UserError(
            f"could not {what} in {where}: {error.status} {error.reason}: "
            f"{text}"
        )

    @property
    def _host(self) -> str:
        return self.client.configuration.host


def _created(item: Mapping[str, Any]) -> str:
    return item["metadata"].get("creationTimestamp") or ""


def _message(error: ApiException) -> str:
    """What the API says, without the rest of its answer."""
    try:
        return json.loads(error.body)["message"]
    except (KeyError, TypeError, ValueError):
        return str(error.body or error.reason or "no answer").strip()


def _is_in_pod(settings: client.Configuration) -> bool:
    """Take the settings of the pod that this is, if it is one."""
    try:
        access.load_incluster_config(client_configuration=settings)
    except access.ConfigException:
        return False
    return True


def _namespace(context: str) -> str | None:
    """The namespace that a context of the kubeconfig file names."""
    try:
        contexts, active = access.list_kube_config_contexts()
    except access.ConfigException:
        return None
    chosen = next((c for c in contexts if c["name"] == context), active)
    return chosen["context"].get("namespace")
