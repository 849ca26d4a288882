"""The log of a container, from beginning to end, each line once."""

import time
from collections import deque
from collections.abc import Callable

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from aframe.remote.api import Cluster

KEPT = 20
"""Last lines that are kept for an error's message."""

MARGIN_SECONDS = 5.0


class Log:
    """What of a container's log has been shown.

    A connection that is lost in the middle of a line loses nothing: the log
    is asked for again from a little before, and lines that were shown are
    left out, by their times.

    Args:
        cluster: where the pod is.
        pod: its name.
        container: its name.
        write: is given each line.
        silence: time without a line that ends :meth:`follow`, s.
    """

    def __init__(
        self,
        cluster: Cluster,
        pod: str,
        container: str,
        write: Callable[[str], None],
        silence: float,
    ) -> None:
        self.cluster = cluster
        self.pod = pod
        self.container = container
        self.last: deque[str] = deque(maxlen=KEPT)
        self._write = write
        self._silence = silence
        self._time = ""
        self._count = 0
        self._received: float | None = None

    def follow(self) -> None:
        """Show lines until the container ends, is silent, or is lost."""
        self._show(follow=True)

    def finish(self) -> None:
        """Show what is left, now that the container has ended."""
        self._show(follow=False)

    def _show(self, *, follow: bool) -> None:
        since = None
        if self._received is not None:
            since = time.monotonic() - self._received + MARGIN_SECONDS
        try:
            response = self.cluster.log(
                self.pod,
                self.container,
                follow=follow,
                since=since,
                silence=self._silence,
            )
        except (ApiException, HTTPError):
            return  # it is asked for again; the pod's state tells of its end
        rest = b""
        again = 0  # lines of the last time that have come in this connection
        try:
            for chunk in response.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    again = self._take(line.decode(errors="replace"), again)
        except HTTPError:
            return
        finally:
            response.close()
        if rest and not follow:  # a last line may come without its end
            self._take(rest.decode(errors="replace"), again)

    def _take(self, line: str, again: int) -> int:
        """Show a line, unless it was shown before.

        Args:
            line: a time, a space, and what the container wrote.
            again: how many lines of the last time were left out.
        """
        moment, _, text = line.partition(" ")
        if moment < self._time:
            return again
        if moment == self._time and again < self._count:
            return again + 1
        if moment > self._time:
            self._time, self._count, again = moment, 0, 0
        self._count += 1
        self._received = time.monotonic()
        self.last.append(text)
        self._write(text)
        return again + 1
