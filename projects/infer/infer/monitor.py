"""What a server says of its own work, while it works."""

import csv
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self, TextIO

import tritonclient.grpc as triton
from tritonclient.grpc.service_pb2 import ModelStatistics

from infer.client import CHANNEL, RPC_SECONDS
from infer.streams import MODEL

logger = logging.getLogger(__name__)

# A model that works for this share of the time holds up the others.
BUSY = 0.8
# Longer than a channel waits before it tries again.
RECONNECT_SECONDS = 3.0
SETTLE_SECONDS = 0.2
"""A server counts a batch a moment after it has answered it."""


@dataclass(frozen=True)
class Counts:
    """What one model has done in a time; differences can be added up.

    Attributes:
        requests: answered.
        failed: answered with an error.
        executions: in which the requests were, several in one.
        samples: along the batch dimension of models that have one, else
            as many as requests.
        queue: seconds that requests waited, summed over requests.
        input: seconds of the executions spent on inputs.
        infer: seconds of the executions spent on the model itself.
        output: seconds of the executions spent on outputs.
    """

    requests: int = 0
    failed: int = 0
    executions: int = 0
    samples: int = 0
    queue: float = 0.0
    input: float = 0.0
    infer: float = 0.0
    output: float = 0.0

    @classmethod
    def of(cls, model: ModelStatistics) -> Self:
        """Counts of a model since the server has started."""
        times = model.inference_stats
        executed = {
            name: sum(getattr(batch, f"compute_{name}").ns for batch in found)
            for found in [model.batch_stats]
            for name in ("input", "infer", "output")
        }
        return cls(
            requests=times.success.count,
            failed=times.fail.count,
            executions=model.execution_count,
            samples=model.inference_count,
            queue=times.queue.ns / 1e9,
            **{name: value / 1e9 for name, value in executed.items()},
        )

    def since(self, before: "Counts") -> "Counts":
        """What has been done since; all, if the server is another one."""
        pairs = [
            (getattr(self, one.name), getattr(before, one.name))
            for one in fields(self)
        ]
        if any(now < then for now, then in pairs):
            return self
        return Counts(*(now - then for now, then in pairs))

    def plus(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(
            *(
                getattr(self, one.name) + getattr(other, one.name)
                for one in fields(self)
            )
        )

    @property
    def busy(self) -> float:
        """Seconds of all executions."""
        return self.input + self.infer + self.output


@dataclass
class Statistics:
    """What the models of a server have done while it was watched.

    Attributes:
        seconds: in which any request was answered.
        models: by name.
        instances: of each model, which work at the same time.
        unanswered: polls that the server did not answer.
    """

    seconds: float = 0.0
    models: dict[str, Counts] = field(default_factory=dict)
    instances: dict[str, int] = field(default_factory=dict)
    unanswered: int = 0

    @property
    def steps(self) -> dict[str, Counts]:
        """The models that compute: all but the ensemble of them."""
        return {
            name: counts
            for name, counts in self.models.items()
            if name != MODEL and counts.requests
        }

    def busy(self, name: str) -> float:
        """Share of the time that a model's instances worked."""
        available = self.seconds * self.instances.get(name, 1)
        return self.models[name].busy / available if available else 0.0

    @property
    def bottleneck(self) -> str:
        """What the work waited for most, in words."""
        if not self.steps:
            return "nothing was asked of the server"
        name = max(self.steps, key=self.busy)
        share = self.busy(name)
        what = f"{name}, the busiest, worked {share:.0%} of the time"
        if share >= BUSY:
            return f"bottleneck: {what}"
        waited = sum(step.queue for step in self.steps.values())
        worked = sum(step.busy for step in self.steps.values())
        if waited > worked:
            return f"bottleneck: no model alone; {what}, requests queued"
        return f"bottleneck: the clients; {what} and waited for requests"

    @property
    def summary(self) -> str:
        """A table of the models and a sentence on the bottleneck."""
        steps = self.steps
        total = sum(step.queue + step.busy for step in steps.values()) or 1.0
        lines = [
            f"{'model':<16}{'requests/s':>11}{'merged':>8}{'batch':>8}"
            f"{'queue':>8}{'compute':>9}{'busy':>7}{'failed':>8}"
        ]
        for name, step in steps.items():
            executions = step.executions or 1
            lines.append(
                f"{name:<16}{step.requests / self.seconds:>11.3g}"
                f"{step.requests / executions:>8.2f}"
                f"{step.samples / executions:>8.1f}"
                f"{step.queue / total:>8.1%}{step.busy / total:>9.1%}"
                f"{self.busy(name):>7.0%}{step.failed:>8}"
            )
        return "\n".join([*lines, self.bottleneck])


class _Watcher(threading.Thread):
    """Asks the server for its counters, and writes what was added."""

    def __init__(self, address: str, file: TextIO, interval: float) -> None:
        super().__init__(daemon=True)
        self.statistics = Statistics()
        self._client = triton.InferenceServerClient(
            address, channel_args=CHANNEL
        )
        self._interval = interval
        self._stopped = threading.Event()
        self._file = file
        self._rows = csv.writer(file, lineterminator="\n")
        names = [one.name for one in fields(Counts)]
        self._rows.writerow(["time", "seconds", "model", *names])
        self._last: dict[str, Counts] = {}
        self._time = time.monotonic()
        self._begun = False

    def run(self) -> None:
        """Look until told to stop."""
        while not self._stopped.wait(self._interval):
            self.look()

    def stop(self) -> None:
        """Stop, after a last look, and close the file."""
        self._stopped.set()
        self.join()
        time.sleep(SETTLE_SECONDS)
        # A channel to a server just started again may take a moment.
        deadline = time.monotonic() + RECONNECT_SECONDS
        while not self.look() and time.monotonic() < deadline:
            time.sleep(0.2)
        self._client.close()
        try:
            self._file.close()
        except OSError as error:
            self._warn(error)

    def look(self) -> bool:
        """Ask once; a server or a disk that fails does not end the run.

        Returns:
            Whether the server answered.
        """
        try:
            found = self._client.get_inference_statistics(
                client_timeout=RPC_SECONDS
            )
            if not self._begun:
                self._count_instances(found.model_stats)
            self._note(found.model_stats)
        except triton.InferenceServerException:
            # It is being started again, perhaps.
            self.statistics.unanswered += 1
            return False
        except OSError as error:
            self._warn(error)
        return True

    def _warn(self, error: OSError) -> None:
        logger.warning("%s lacks statistics: %s", self._file.name, error)

    def _count_instances(
        self,
        models: Iterable[ModelStatistics],
    ) -> None:
        for name in {model.name for model in models}:
            config = self._client.get_model_config(
                name, client_timeout=RPC_SECONDS
            ).config
            self.statistics.instances[name] = (
                sum(
                    group.count * max(1, len(group.gpus))
                    for group in config.instance_group
                )
                or 1
            )

    def _note(self, models: Iterable[ModelStatistics]) -> None:
        now = {model.name: Counts.of(model) for model in models}
        elapsed = time.monotonic() - self._time
        self._time += elapsed
        before, self._last = self._last, now
        if not self._begun:
            self._begun = True
            return
        added = {
            name: counts.since(before.get(name, Counts()))
            for name, counts in now.items()
        }
        total = self.statistics
        if any(counts.requests for counts in added.values()):
            total.seconds += elapsed
        for name, counts in added.items():
            total.models[name] = total.models.get(name, Counts()).plus(counts)
            self._rows.writerow(_row(name, elapsed, counts))
        self._file.flush()


def _row(name: str, elapsed: float, counts: Counts) -> list[Any]:
    values = [getattr(counts, one.name) for one in fields(counts)]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return [
        stamp,
        f"{elapsed:.3f}",
        name,
        *(f"{x:.6f}" if isinstance(x, float) else x for x in values),
    ]


@contextmanager
def monitor(
    address: str, path: Path, interval: float = 10.0
) -> Iterator[Statistics]:
    """Write a server's own statistics for the length of a with block.

    Each row of the CSV file holds what one model has done since the row
    before: requests, executions, samples, and seconds of queue and compute.
    A server that is started again counts from zero; one that does not
    answer leaves a hole.

    Args:
        address: host and port of the server's gRPC.
        path: the CSV file; written anew, row by row.
        interval: seconds between two rows of a model.

    Yields:
        The sums, complete when the block has ended.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    watcher = _Watcher(address, path.open("w", newline=""), interval)
    # What the server has done for others before does not count.
    watcher.look()
    watcher.start()
    try:
        yield watcher.statistics
    finally:
        watcher.stop()
