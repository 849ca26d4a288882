"""A connection to an inference server: requests out, answers in."""

import json
import queue
import threading
import time
from dataclasses import dataclass
from typing import Self, TypeAlias

import grpc
import numpy as np
import tritonclient.grpc as triton
from conventions.errors import UserError
from numpy.typing import NDArray
from preprocessing.manifest import REPOSITORY_FIELDS, Manifest
from tritonclient.grpc.service_pb2 import (
    ModelInferRequest,
    ModelStreamInferResponse,
)
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

MODEL = "aframe-stream"
INPUT = "strain"
OUTPUT = "detection_statistic"
COMPARED = (*REPOSITORY_FIELDS, "weights_sha256")
RPC_SECONDS = 10.0
CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A new channel must not inherit how long an old one has failed.
    ("grpc.use_local_subchannel_pool", 1),
]
# Of a stream: the rest say that a request, not the connection, is at fault.
LOST = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
}


class InferenceError(RuntimeError):
    """The server failed, or fell silent, while it was asked for outputs."""


class NoServerError(UserError):
    """No server that serves the model answers."""


class ConnectionLostError(Exception):
    """The stream to the server is of no more use; another one may be."""


@dataclass(frozen=True)
class Answer:
    """What the server says to one request.

    Attributes:
        id: of the request.
        values: detection statistics, 1-D; empty with an error.
        error: the server's message, empty without an error.
    """

    id: str
    values: NDArray[np.float32]
    error: str


Inbox: TypeAlias = "queue.SimpleQueue[Answer | Exception]"


def request_for(
    number: str, sequence: int, shape: tuple[int, ...], start: bool, end: bool
) -> ModelInferRequest:
    """A request of one sequence, without its data.

    Args:
        number: id of the request, which its answer repeats.
        sequence: id of the sequence.
        shape: of the strain, ``(S, ifo, update_size)``.
        start: whether it is the sequence's first.
        end: whether it is the sequence's last.
    """
    request = ModelInferRequest(model_name=MODEL, id=number)
    request.parameters["sequence_id"].int64_param = sequence
    request.parameters["sequence_start"].bool_param = start
    request.parameters["sequence_end"].bool_param = end
    request.inputs.add(name=INPUT, datatype="FP32", shape=shape)
    request.outputs.add(name=OUTPUT)
    return request


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
        self._streams: dict[int, _Stream] = {}
        self._ending: list[_Stream] = []
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
            stream = _Stream(self._channel, self._inbox)
            self._streams[sequence] = stream
        stream.outbox.put(request)
        if last:
            stream.end()
            self._ending = [one for one in self._ending if not one.over]
            self._ending.append(self._streams.pop(sequence))

    def receive(self) -> Answer:
        """Wait for the next answer to any sequence.

        Raises:
            ConnectionLostError: if a stream breaks or the server falls
                silent.
            InferenceError: if the server refuses a stream.
        """
        served = None
        while True:
            try:
                found = self._inbox.get(timeout=self.timeout / 2)
            except queue.Empty:
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


class _Stream:
    """Two threads: gRPC's takes requests, and one here puts answers.

    Args:
        channel: to the server.
        inbox: takes the answers, and what broke the stream.

    Attributes:
        outbox: requests to send.
    """

    def __init__(self, channel: grpc.Channel, inbox: Inbox) -> None:
        self.outbox: queue.SimpleQueue[ModelInferRequest | None] = (
            queue.SimpleQueue()
        )
        self._inbox = inbox
        self._ended = False
        self._call = GRPCInferenceServiceStub(channel).ModelStreamInfer(
            iter(self.outbox.get, None)
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            for message in self._call:
                self._inbox.put(_answer(message))
        except grpc.RpcError as error:
            message = f"{error.code().name}: {error.details()}"
            lost = error.code() in LOST
            kind = ConnectionLostError if lost else InferenceError
            self._inbox.put(kind(message))
        else:
            if not self._ended:
                message = "the server ended a stream"
                self._inbox.put(ConnectionLostError(message))
        # Lets gRPC's thread end too, which may wait for a request.
        self.outbox.put(None)

    @property
    def over(self) -> bool:
        """Whether no answer will come any more."""
        return not self._reader.is_alive()

    def end(self) -> None:
        """Announce that no request follows."""
        self._ended = True
        self.outbox.put(None)

    def join(self, seconds: float) -> None:
        """Wait until all answers have come; cut the stream if they do not."""
        self._reader.join(seconds)
        self._call.cancel()
        self._reader.join()


def _answer(message: ModelStreamInferResponse) -> Answer:
    response = message.infer_response
    content = b"".join(response.raw_output_contents)
    values = np.frombuffer(content, np.float32).copy()
    return Answer(response.id, values, message.error_message)
