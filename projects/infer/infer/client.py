"""A connection to an inference server: requests out, answers in."""

import json
import math
import queue
import time
from typing import Self

import grpc
import tritonclient.grpc as triton
from conventions.errors import UserError
from preprocessing.manifest import REPOSITORY_FIELDS, Manifest
from tritonclient.grpc.service_pb2 import ModelInferRequest

from infer.streams import (
    MODEL,
    Answer,
    ConnectionLostError,
    Inbox,
    Stream,
)

COMPARED = (*REPOSITORY_FIELDS, "weights_sha256")
RPC_SECONDS = 10.0
CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A new channel must not inherit how long an old one has failed.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]


class NoServerError(UserError):
    """No server that serves the model answers."""


class StreamClient:
    """Bidirectional streams to the ensemble ``aframe-stream``.

    Args:
        address: host and port of the server's gRPC.
        timeout: seconds without any answer, from a server that answers
            nobody else either, after which it counts as lost.

    Raises:
        NoServerError: if no server with that model is ready at the address.
    """

    def __init__(self, address: str, *, timeout: float = 300.0) -> None:
        self.address = address
        self.timeout = timeout
        self.control = triton.InferenceServerClient(
            address, channel_args=CHANNEL
        )
        self._channel = grpc.insecure_channel(address, options=CHANNEL)
        self._streams: dict[int, Stream] = {}
        self._ending: list[Stream] = []
        self._inbox: Inbox = queue.SimpleQueue()
        try:
            self._require_model()
        except BaseException:
            self.close()
            raise

    def _require_model(self) -> None:
        try:
            ready = self.control.is_model_ready(
                MODEL, client_timeout=RPC_SECONDS
            )
        except triton.InferenceServerException as error:
            raise NoServerError(
                f"no inference server answers at {self.address}: "
                f"{error.message()}"
            ) from error
        if not ready:
            raise NoServerError(
                f"the server at {self.address} does not serve the model "
                f"{MODEL}"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Cut the streams and close the connection."""
        self.finish(0.0)
        self._channel.close()
        self.control.close()

    def check(self, manifest: Manifest) -> None:
        """Compare the server's manifest with the one to be used.

        Args:
            manifest: what the caller takes its settings from.

        Raises:
            UserError: naming every setting that differs, with both values.
            ConnectionLostError: if the server does not answer.
        """
        try:
            config = self.control.get_model_config(
                MODEL, as_json=True, client_timeout=RPC_SECONDS
            )["config"]
        except triton.InferenceServerException as error:
            raise ConnectionLostError(error.message()) from error
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

    def requests_served(self) -> int:
        """Requests that the server's models have answered to anybody.

        Raises:
            ConnectionLostError: if the server does not answer.
        """
        try:
            found = self.control.get_inference_statistics(
                client_timeout=RPC_SECONDS
            )
        except triton.InferenceServerException as error:
            raise ConnectionLostError(error.message()) from error
        return sum(
            model.inference_stats.success.count
            + model.inference_stats.fail.count
            for model in found.model_stats
        )

    def send(
        self, request: ModelInferRequest, sequence: int, last: bool
    ) -> None:
        """Send a request of a sequence.

        Each sequence has a stream of its own, since a server answers in
        order on a stream: a sequence that waits for its turn would hold up
        the others.

        Args:
            request: to send.
            sequence: its id.
            last: whether no other request of the sequence follows.
        """
        stream = self._streams.get(sequence)
        if stream is None:
            stream = Stream(self._channel, self._inbox)
            self._streams[sequence] = stream
        stream.outbox.put(request)
        if last:
            stream.end()
            self._ending = [one for one in self._ending if not one.over]
            self._ending.append(self._streams.pop(sequence))

    def receive(self, deadline: float = math.inf) -> Answer:
        """Wait for the next answer to any sequence.

        Args:
            deadline: time of the monotonic clock from which on nothing is
                waited for, whatever the server does for others.

        Raises:
            ConnectionLostError: if a stream breaks, the server falls
                silent, or no answer has come at the deadline.
            InferenceError: if the server refuses a stream.
        """
        served = None
        while True:
            left = max(0.0, deadline - time.monotonic())
            try:
                found = self._inbox.get(timeout=min(self.timeout / 2, left))
            except queue.Empty:
                if time.monotonic() >= deadline:
                    raise ConnectionLostError(
                        "a request has had no answer for too long"
                    ) from None
                # Other clients may have all places: then these requests
                # wait their turn, and the server goes on working.
                before, served = served, self.requests_served()
                if served == before:
                    raise ConnectionLostError(
                        f"no answer for {self.timeout:g} s"
                    ) from None
                continue
            if isinstance(found, Answer):
                return found
            raise found

    def finish(self, seconds: float) -> None:
        """End all streams; cut those for which that takes too long.

        Args:
            seconds: to wait for answers to what has been sent.
        """
        streams = [*self._ending, *self._streams.values()]
        deadline = time.monotonic() + seconds
        for stream in streams:
            stream.end()
        for stream in streams:
            stream.join(max(0.0, deadline - time.monotonic()))
        self._streams, self._ending = {}, []
        self._inbox = queue.SimpleQueue()
