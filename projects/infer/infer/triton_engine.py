"""The network behind an inference server, as an engine."""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from conventions.errors import UserError
from numpy.typing import NDArray
from preprocessing.manifest import Manifest

from infer.client import NoServerError, StreamClient
from infer.engine import Slide
from infer.failures import Failures, is_broken, is_forgotten
from infer.layout import StreamLayout
from infer.sequences import InFlight, SlideSequence
from infer.server import errors_in
from infer.shared_memory import Transport
from infer.streams import (
    Answer,
    ConnectionLostError,
    InferenceError,
    request_for,
)

logger = logging.getLogger(__name__)

# Requests that keep snapshotter, preprocessor, network and wire busy.
STAGES = 4
DRAIN_SECONDS = 5.0
# A request may wait until other clients' slides are done, but not for ever:
# it may have been lost.
LONGEST_WAIT = 3600.0
RELEASE = "release"


def _release(client: StreamClient, sequence: SlideSequence) -> None:
    """End a sequence that is to be left, so that others get its place."""
    if sequence.known:
        strain = sequence.zeros()
        request = request_for(
            RELEASE, sequence.id, strain.shape, start=True, end=True
        )
        request.raw_input_contents.append(strain.tobytes())
        client.send(request, sequence.id, last=True)


class TritonEngine:
    """Evaluates slides on a Triton server, several at a time.

    Each slide is a sequence of requests. A further request is sent when an
    answer has come, so that memory is bounded whatever a slide's length: no
    more than ``max(4, 2 * streams)`` requests are under way.

    When the stream breaks, the server restarts or a sequence is lost, the
    sequences are begun anew with the data that fill their state, and go on
    with the outputs that they would have had.

    Args:
        address: host and port of the server's gRPC.
        manifest: of the model repository that the server serves.
        streams: slides that take turns; the server merges their kernels
            into batches and, beyond its own number of streams, lets them
            wait.
        timeout: seconds without any answer after which the server counts
            as lost.
        patience: seconds without an output, from a first failure on, in
            which attempts are made to go on; more than a server takes to
            start. Between attempts are pauses that grow to five seconds.
        shared_memory: whether requests' data are in memory that the server
            on the same host reads; None takes it where that works.
        log_file: of the server, for errors.

    Attributes:
        manifest: see above.
        name: ``triton`` and the platform that runs the network there.
        recoveries: times that sequences were begun anew.

    Raises:
        UserError: for a number out of range; on entering, if no server
            answers or it serves another network, naming each difference,
            or if it cannot read the shared memory asked for.
    """

    def __init__(
        self,
        address: str,
        manifest: Manifest,
        *,
        streams: int = 4,
        timeout: float = 300.0,
        patience: float = 600.0,
        shared_memory: bool | None = None,
        log_file: Path | None = None,
    ) -> None:
        for name, value, least in (
            ("streams", streams, 1),
            ("patience", patience, 0),
            ("timeout", timeout, 0.01),
        ):
            if not value >= least:
                raise UserError(f"{name}: {value} must be at least {least}")
        self.address = address
        self.manifest = manifest
        self.name = f"triton, {manifest.platform}"
        self.name += " fp16" * manifest.fp16
        self.streams = streams
        self.timeout = timeout
        self.patience = patience
        self.log_file = log_file
        self.recoveries = 0
        slots = max(STAGES, 2 * streams)
        self._transport = Transport(shared_memory, slots)
        self._in_flight = InFlight(slots)
        self._active: list[SlideSequence] = []
        self._client: StreamClient | None = None
        self._failures = Failures()
        self._entered = self._running = False

    @property
    def shared_memory(self) -> bool:
        """Whether requests' data are in shared memory."""
        return self._transport.shared

    def __enter__(self) -> Self:
        try:
            self._connect()
        except ConnectionLostError as error:
            raise self._error(str(error)) from error
        self._entered = True
        return self

    def __exit__(self, *args: object) -> None:
        self._entered = False
        client, self._client = self._client, None
        self._transport.close(client and client.control)
        if client is not None:
            client.close()

    def evaluate(
        self, slides: Sequence[Slide]
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Evaluate the network all along some slides.

        Args:
            slides: of one segment or of several, read at any place when
                that is needed.

        Yields:
            The position of a slide in ``slides``, and the outputs of shape
            ``(S, n)`` that follow those yielded for it before.

        Raises:
            UserError: if a slide has no output after the burn-in, a
                restarted server serves another network, or no server
                answers any more when the evaluation begins.
            InferenceError: for an error of any request, with the server's
                message, or when the server is lost for good, with the last
                errors of its log.
            RuntimeError: outside of the engine's context, or while another
                evaluation runs.
        """
        if not self._entered or self._running:
            raise RuntimeError(
                "an engine evaluates inside its context, one call at a time"
            )
        waiting = deque(
            SlideSequence(
                position,
                slide,
                StreamLayout.from_manifest(self.manifest, slide.num_samples),
            )
            for position, slide in enumerate(slides)
        )
        self._running = True
        self._failures.clear()
        try:
            # An earlier evaluation may have lost the server for good.
            if self._client is None:
                self._connect()
            while waiting or self._active:
                while waiting and len(self._active) < self.streams:
                    self._active.append(waiting.popleft())
                yield from self._step()
        except (InferenceError, ConnectionLostError) as error:
            raise self._error(str(error)) from error
        finally:
            self._running = False
            self._finish()

    def _step(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Send what may be sent and take one answer."""
        assert self._client is not None
        try:
            self._feed()
            deadline = self._in_flight.oldest + LONGEST_WAIT
            sequence, outputs = self._take(self._client.receive(deadline))
        except ConnectionLostError as error:
            self._recover(str(error))
            return
        if sequence is None:
            return
        if sequence.done:
            self._active.remove(sequence)
        for part in outputs:
            self._failures.clear()
            sequence.failures.clear()
            yield sequence.position, part

    def _feed(self) -> None:
        """Send what may be sent, each sequence in its turn."""
        window = max(2, -(-STAGES // len(self._active)))
        ready = deque(self._active)
        while ready and not self._in_flight.full:
            sequence = ready.popleft()
            if sequence.may_send(window):
                self._send(sequence)
                ready.append(sequence)

    def _send(self, sequence: SlideSequence) -> None:
        number, strain, start, end = sequence.next_request()
        key, slot = self._in_flight.add(sequence, number)
        request = request_for(key, sequence.id, strain.shape, start, end)
        self._transport.attach(request, strain, slot)
        self._client.send(request, sequence.id, end)

    def _take(
        self, answer: Answer
    ) -> tuple[SlideSequence | None, list[NDArray[np.float32]]]:
        """Say whose answer it is, and which outputs it completes."""
        sent = self._in_flight.take(answer.id)
        if sent is None and answer.id != RELEASE:
            raise InferenceError(answer.error or f"no request {answer.id!r}")
        if sent is None or not sent.current:
            # Of no more interest: the sequence has been begun anew.
            return None, []
        if is_broken(answer.error):
            raise ConnectionLostError(answer.error)
        sequence = sent.sequence
        if is_forgotten(answer.error):
            self._begin_anew(sequence, answer.error)
            return None, []
        if answer.error:
            raise InferenceError(answer.error)
        count = sequence.shape[0] * sequence.shape[1]
        if answer.values.size != count:
            raise InferenceError(
                f"{answer.values.size} outputs of a request for {count}"
            )
        values = answer.values.reshape(sequence.shape)
        return sequence, list(sequence.accept(sent.number, values))

    def _begin_anew(self, sequence: SlideSequence, reason: str) -> None:
        """Let one sequence go on that the server has forgotten."""
        sequence.failures.add(reason, self.patience)
        logger.warning("inference at %s goes on: %s", self.address, reason)
        sequence.failures.pause()
        self.recoveries += 1
        _release(self._client, sequence)
        sequence.start()

    def _recover(self, reason: str) -> None:
        """Connect anew and let all sequences go on."""
        if self._client is not None:
            self._client.close()
            self._client = None
        while self._client is None:
            self._failures.add(reason, self.patience)
            logger.warning("inference at %s goes on: %s", self.address, reason)
            self._failures.pause()
            try:
                self._connect()
            except (NoServerError, ConnectionLostError) as error:
                reason = str(error)
        self.recoveries += 1
        self._in_flight.clear()
        for sequence in self._active:
            sequence.start()

    def _connect(self) -> None:
        """Connect, and end what the server still holds of ours."""
        client = StreamClient(self.address, timeout=self.timeout)
        try:
            client.check(self.manifest)
            self._transport.open(client, self._slot_bytes())
            # To a server that has been restarted this is but work.
            if self._active and client.requests_served():
                for sequence in self._active:
                    _release(client, sequence)
        except BaseException:
            client.close()
            raise
        self._client = client

    def _slot_bytes(self) -> int:
        """Size of the strain of a request with two streams."""
        settings, rate = (
            self.manifest.preprocessing,
            self.manifest.inference_sampling_rate,
        )
        stride = settings.size("1 / inference_sampling_rate", 1 / rate)
        samples = settings.num_ifos * stride * self.manifest.batch_size
        return 2 * samples * np.dtype(np.float32).itemsize

    def _finish(self) -> None:
        """End the stream; leave no sequence behind at the server."""
        if self._client is not None:
            for sequence in self._active:
                _release(self._client, sequence)
            self._client.finish(DRAIN_SECONDS)
        self._active.clear()
        self._in_flight.clear()

    def _error(self, message: str) -> InferenceError:
        """An error with the last errors of the server's log."""
        text = f"the server at {self.address} failed: {message}"
        if self.log_file is not None:
            text += f"\nits log {self.log_file} says:\n"
            text += errors_in(self.log_file)
        return InferenceError(text)
