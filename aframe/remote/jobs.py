"""Runs a job to its end: submit or find, watch, show, clean up."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from conventions.errors import UserError

from aframe import interrupts
from aframe.remote import status
from aframe.remote.api import Cluster, Object, UnreachableError
from aframe.remote.logs import Log
from aframe.remote.submission import FINGERPRINT, Submission

POD_LABEL = "batch.kubernetes.io/job-name"
CLUSTER_LABEL = "ray.io/cluster"


class JobFailedError(UserError):
    """A job ended without what it was to make."""


@dataclass
class Run:
    """A submission on its way through a cluster.

    Attributes:
        cluster: where it runs.
        submission: what is asked.
        container: that computes, and whose log is shown.
        say: is given each sentence about how it stands.
        show: is given each line of the log.
        poll_interval: time between two looks, s.
        stuck_seconds: how long an image or a secret may be missing, s.
        silence: time without a line of log before the pod is looked at, s.
    """

    cluster: Cluster
    submission: Submission
    container: str
    say: Callable[[str], None]
    show: Callable[[str], None]
    poll_interval: float
    stuck_seconds: float = 300.0
    silence: float = 30.0
    _mine: bool = False
    _said: str = ""
    _logs: dict[str, Log] = field(default_factory=dict)
    _stuck_since: float | None = None

    @property
    def name(self) -> str:
        """The job's."""
        return self.submission.name

    def complete(self) -> None:
        """Run the job, or the one that is already there, to its end.

        What is on the cluster is removed however this ends, except by the
        loss of the connection, or with the death of ``law``: then it runs on,
        and the next call finds it.

        Raises:
            UserError: if the cluster refuses it, an image is not there, or
                the program ended for a mistake of its user.
            JobFailedError: if it failed otherwise; with its last lines.
            UnreachableError: if the cluster does not answer any more.
        """
        with self._removed_at_the_end():
            job, new = self._submit()
            uid = job["metadata"]["uid"]
            for manifest in self.submission.belongings(uid):
                self._provide(manifest, new)
            if job["spec"].get("suspend"):
                self._wait_for_ray()
                self.cluster.begin(self.name)
            self._watch()

    def _submit(self) -> tuple[Object, bool]:
        """The job, and whether it is new, not that of an earlier call."""
        while True:
            new = self._create()
            job = self.cluster.read("Job", self.name)
            if job is None:
                continue  # it ended in between
            if new:
                self._tell(f"submitted job {self.name}")
                return job, True
            if job["metadata"].get("deletionTimestamp"):
                self._tell(f"waiting for the end of an earlier {self.name}")
                time.sleep(self.poll_interval)
                continue
            ended = status.ended(job)
            if ended == "failed" or (ended and not self._is_same(job)):
                self._tell(f"removing {self.name}, which had ended before")
                self.cluster.delete("Job", self.name)
                continue
            self._check_same(job)
            self._mine = True
            self._tell(f"found job {self.name}, which is there already")
            return job, False

    def _provide(self, manifest: Object, new: bool) -> None:
        """Create what belongs to the job.

        Args:
            manifest: of it.
            new: whether the job is; what is there then belonged to another,
                and goes with that.
        """
        name = manifest["metadata"]["name"]
        while not self.cluster.create(manifest) and new:
            self.cluster.delete(manifest["kind"], name)
            time.sleep(self.poll_interval)

    def _create(self) -> bool:
        """Create the job; whether it is new.

        From here on it is removed if something goes wrong, unless the
        cluster has refused it or it was there before.
        """
        self._mine = True
        try:
            self._mine = self.cluster.create(self.submission.job())
        except UserError:
            self._mine = False
            raise
        return self._mine

    def _is_same(self, job: Object) -> bool:
        """Whether a job was asked to do the same."""
        found = job["metadata"].get("annotations") or {}
        return found.get(FINGERPRINT) == self.submission.fingerprint

    def _check_same(self, job: Object) -> None:
        """Refuse a job that does something else.

        Raises:
            UserError: naming the job.
        """
        if not self._is_same(job):
            raise UserError(
                f"job {self.name} in namespace {self.cluster.namespace} "
                "writes to the same place with other settings: wait for it, "
                "or remove it with\n"
                f"  {self._removal()}"
            )

    def _removal(self) -> str:
        return f"kubectl delete job {self.name} -n {self.cluster.namespace}"

    @contextmanager
    def _removed_at_the_end(self) -> Iterator[None]:
        try:
            yield
        except UnreachableError:
            self._mine = False
            raise
        except KeyboardInterrupt:
            # If luigi was killed, this process is ended for that alone.
            self._mine = self._mine and not interrupts.orphaned()
            raise
        finally:
            if self._mine:
                self._remove()

    def _remove(self) -> None:
        """Remove the job and, not to wait for the pods' end, its secrets."""
        try:
            job = self.cluster.read("Job", self.name)
            if job is not None and not self._is_same(job):
                return  # of someone who was quicker
            self.cluster.delete("Job", self.name)
            for manifest in self.submission.belongings():
                self.cluster.delete(
                    manifest["kind"], manifest["metadata"]["name"]
                )
        except UserError as error:
            self._tell(f"could not clean up: {error}\n  {self._removal()}")

    def _wait_for_ray(self) -> None:
        """Wait until all machines of the Ray cluster are there."""
        if self.submission.ray is None:
            return
        while True:
            cluster = self.cluster.read("RayCluster", self.name)
            pods = self.cluster.pods(f"{CLUSTER_LABEL}={self.name}")
            late = status.ray(cluster, pods)
            if late is None:
                self._tell("the Ray cluster is ready")
                return
            self._tell(f"pending: {late}")
            for pod in pods:
                self._check_stuck(pod)
            time.sleep(self.poll_interval)

    def _watch(self) -> None:
        """Say how the job stands and show its log, until it has ended."""
        while True:
            job = self.cluster.read("Job", self.name)
            if job is None:
                raise JobFailedError(
                    f"job {self.name} was removed by someone else"
                )
            pods = self.cluster.pods(f"{POD_LABEL}={self.name}")
            pod = pods[-1] if pods else None
            outcome = status.ended(job)
            if outcome is not None:
                self._end(outcome, job, pod)
                return
            self._tell(self._words(pod))
            if pod is not None:
                self._check_stuck(pod)
                if status.is_running(pod, self.container):
                    self._log(pod, self.container).follow()
            time.sleep(self.poll_interval)

    def _words(self, pod: Object | None) -> str:
        words = status.words(pod)
        if pod is None:
            # such as a quota that leaves no room for the pod
            words = ": ".join([words, *self.cluster.warnings(self.name)[-1:]])
        return words

    def _tell(self, words: str) -> None:
        """Say something, unless it was the last that was said."""
        if words != self._said:
            self._said = words
            self.say(words)

    def _check_stuck(self, pod: Object) -> None:
        """Give a pod up that will never begin.

        Raises:
            UserError: naming the reason.
        """
        found = status.waiting(pod)
        if found is None:
            self._stuck_since = None
            return
        now = time.monotonic()
        self._stuck_since = self._stuck_since or now
        reason = ": ".join(filter(None, found))
        waited = now - self._stuck_since
        if found[0] in status.HOPELESS or waited >= self.stuck_seconds:
            name = pod["metadata"]["name"]
            raise UserError(f"pod {name} cannot begin: {reason}")

    def _log(self, pod: Object, container: str) -> Log:
        name = pod["metadata"]["name"]
        if name not in self._logs:
            self._logs[name] = Log(
                self.cluster, name, container, self.show, self.silence
            )
        return self._logs[name]

    def _end(self, outcome: str, job: Object, pod: Object | None) -> None:
        """Show the rest of the log, and say how the job ended.

        Raises:
            UserError: if its user made a mistake.
            JobFailedError: if it failed otherwise.
        """
        bad = None if pod is None else status.terminated(pod)
        lines: list[str] = []
        if pod is not None:
            container = bad[0] if bad else self.container
            log = self._log(pod, container)
            log.finish()
            lines = list(log.last)
        if outcome == "complete":
            self._tell("succeeded")
            return
        if bad and bad[0] == self.container and bad[1]["exitCode"] == 2:
            # that of a mistake, see conventions.errors
            raise UserError(f"job {self.name} stopped: its message is above")
        reason = status.failure(pod) if pod else _reason(job)
        text = "".join(f"\n  {line}" for line in lines)
        raise JobFailedError(
            f"job {self.name} failed: {reason}"
            + (f"; its last lines:{text}" if text else "")
        )


def _reason(job: Object) -> str:
    """Why a job failed, by itself."""
    found = status.condition(job, "Failed") or {}
    parts = [found.get("reason"), found.get("message")]
    return ": ".join(filter(None, parts)) or "its pod is gone"
