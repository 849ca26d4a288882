"""The client of an inference server: one ordered sequence of requests."""

import json
import queue
import secrets
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
import tritonclient.grpc as triton
from conventions.errors import UserError
from numpy.typing import NDArray
from preprocessing.manifest import REPOSITORY_FIELDS, Manifest

MODEL = "aframe-stream"
INPUT = "strain"
OUTPUT = "detection_statistic"
COMPARED = (*REPOSITORY_FIELDS, "weights_sha256")


class InferenceError(RuntimeError):
    """The server failed, or fell silent, while it was asked for outputs."""


class StreamClient:
    """Sends sequences of strain to the ensemble ``aframe-stream``.

    Args:
        address: host and port of the server's gRPC.
        timeout: seconds without an answer after which the server counts as
            lost.
        max_in_flight: requests sent and not yet answered; a further one is
            sent only when an answer has come.

    Raises:
        UserError: if no server with that model is ready at the address.
    """

    def __init__(
        self, address: str, *, timeout: float = 300.0, max_in_flight: int = 4
    ) -> None:
        self.address = address
        self.timeout = timeout
        self.max_in_flight = max_in_flight
        self._client = triton.InferenceServerClient(address)
        try:
            ready = self._client.is_model_ready(MODEL, client_timeout=10.0)
        except triton.InferenceServerException as error:
            self._client.close()
            raise UserError(
                f"no inference server answers at {address}: {error.message()}"
            ) from error
        if not ready:
            self._client.close()
            raise UserError(
                f"the server at {address} does not serve the model {MODEL}"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def check(self, manifest: Manifest) -> None:
        """Compare the server's manifest with the one to be used.

        Args:
            manifest: what the caller takes its settings from.

        Raises:
            UserError: naming every setting that differs, with both values.
        """
        config = self._client.get_model_config(MODEL, as_json=True)["config"]
        parameters = config.get("parameters", {})
        if "manifest" not in parameters:
            raise UserError(
                f"the model {MODEL} at {self.address} carries no manifest: "
                "export wrote none of it"
            )
        served = json.loads(parameters["manifest"]["string_value"])
        ours = manifest.to_dict()
        names = (*manifest.preprocessing.names(), *COMPARED)
        differences = [
            f"{name}: {served.get(name)} at {self.address}, "
            f"{ours.get(name)} in the manifest"
            for name in names
            if served.get(name) != ours.get(name)
        ]
        if differences:
            raise UserError(
                f"the server at {self.address} serves another network or "
                "other settings:\n  " + "\n  ".join(differences)
            )

    def run(
        self, updates: Iterable[NDArray[np.float32]]
    ) -> Iterator[NDArray[np.float32]]:
        """Send one sequence and yield the answers in order.

        Args:
            updates: strain of each request, of shape ``(S, ifo,
                update_size)``, the same S throughout.

        Yields:
            Detection statistics of shape ``(S, batch_size)`` of each
            request.

        Raises:
            InferenceError: for an error of any request, with the server's
                message, or when no answer comes in time.
        """
        answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
        sequence = secrets.randbits(63) | 1
        self._client.start_stream(
            lambda result, error: answers.put((result, error))
        )
        finished = False
        try:
            inbox = _Inbox(answers, self.timeout, self.address)
            sent = 0
            for update, last in _mark_last(updates):
                while sent - inbox.taken >= self.max_in_flight:
                    yield inbox.take()
                inbox.streams = update.shape[0]
                self._send(update, sequence, sent, last)
                sent += 1
            while inbox.taken < sent:
                yield inbox.take()
            finished = True
        finally:
            self._client.stop_stream(cancel_requests=not finished)

    def _send(
        self,
        update: NDArray[np.float32],
        sequence: int,
        number: int,
        last: bool,
    ) -> None:
        tensor = triton.InferInput(INPUT, update.shape, "FP32")
        tensor.set_data_from_numpy(update)
        self._client.async_stream_infer(
            MODEL,
            [tensor],
            outputs=[triton.InferRequestedOutput(OUTPUT)],
            request_id=str(number),
            sequence_id=sequence,
            sequence_start=number == 0,
            sequence_end=last,
        )


class _Inbox:
    """Answers, put back into the order of the requests."""

    def __init__(
        self,
        answers: "queue.Queue[tuple[Any, Any]]",
        timeout: float,
        address: str,
    ) -> None:
        self.answers = answers
        self.timeout = timeout
        self.address = address
        self.taken = 0
        self.streams = 1
        self._early: dict[int, NDArray[np.float32]] = {}

    def take(self) -> NDArray[np.float32]:
        """Wait for the next answer in order."""
        while self.taken not in self._early:
            try:
                result, error = self.answers.get(timeout=self.timeout)
            except queue.Empty:
                raise InferenceError(
                    f"the server at {self.address} has not answered request "
                    f"{self.taken} for {self.timeout:g} s"
                ) from None
            if error is not None:
                raise InferenceError(
                    f"the server at {self.address} failed after "
                    f"{self.taken} answers: {error.message()}"
                )
            number = int(result.get_response().id)
            values = result.as_numpy(OUTPUT)
            self._early[number] = values.reshape(self.streams, -1)
        self.taken += 1
        return self._early.pop(self.taken - 1)


def _mark_last(
    updates: Iterable[NDArray[np.float32]],
) -> Iterator[tuple[NDArray[np.float32], bool]]:
    """Yield each update and whether it is the last."""
    iterator = iter(updates)
    previous = next(iterator, None)
    if previous is None:
        return
    for update in iterator:
        yield previous, False
        previous = update
    yield previous, True
