"""One stream of requests to a server, and of its answers."""

import queue
import threading
from dataclasses import dataclass
from typing import TypeAlias

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc.service_pb2 import (
    ModelInferRequest,
    ModelStreamInferResponse,
)
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

MODEL = "aframe-stream"
INPUT = "strain"
OUTPUT = "detection_statistic"
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


class Stream:
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
