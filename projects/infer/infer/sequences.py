"""Slides as sequences of requests that can be begun anew anywhere."""

import secrets
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from infer.engine import Slide
from infer.failures import Failures
from infer.layout import StreamLayout


class Request(NamedTuple):
    """What one request brings.

    Attributes:
        number: its index in the slide.
        strain: of shape ``(S, ifo, update_size)``.
        start: whether it is the first that the server gets to see.
        end: whether it is the slide's last.
    """

    number: int
    strain: NDArray[np.float32]
    start: bool
    end: bool


class SlideSequence:
    """Where a slide stands: sent, answered, given out.

    A server that has lost the sequence is given, under a new id, the
    requests that fill its state again, ``state_size`` samples: answers to
    those are dropped. What follows is what it would have been (science.md,
    Streaming inference).

    Args:
        position: of the slide among those to be evaluated.
        slide: the strain.
        layout: how the slide is cut into requests.

    Attributes:
        id: of the sequence at the server; another one after each start.
        failures: times in a row that it was lost without an output.
    """

    def __init__(
        self, position: int, slide: Slide, layout: StreamLayout
    ) -> None:
        self.position = position
        self.slide = slide
        self.layout = layout
        self.failures = Failures()
        self._replayed = -(-layout.state_size // layout.update_size)
        self._given = 0
        self._expected = 0
        self._shape: tuple[int, ...] = ()
        self.start()

    def start(self) -> None:
        """Begin at the server, with what precedes the next output."""
        self.id = secrets.randbits(63) | 1
        self._given = max(self._given, self._expected)
        self._first = max(0, self._given - self._replayed)
        self._sent = self._expected = self._first
        self._early: dict[int, NDArray[np.float32]] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of a request's outputs, ``(S, batch_size)``."""
        return self.slide.streams, self.layout.batch_size

    @property
    def done(self) -> bool:
        """Whether every request has been answered."""
        return self._expected == self.layout.num_requests

    @property
    def known(self) -> bool:
        """Whether the server has begun and not ended the sequence."""
        return self._first < self._sent and not self.done

    def may_send(self, window: int) -> bool:
        """Whether there is a request to send.

        Args:
            window: requests that may be sent and not yet answered.
        """
        in_flight = self._sent - self._expected
        return in_flight < window and self._sent < self.layout.num_requests

    def next_request(self) -> Request:
        """Read the next request."""
        number = self._sent
        first = self.layout.first_sample(number)
        strain = self.slide.read(first, self.layout.update_size)
        if number == self._first:
            self._shape = strain.shape
        self._sent += 1
        last = number == self.layout.num_requests - 1
        return Request(number, strain, number == self._first, last)

    def zeros(self) -> NDArray[np.float32]:
        """What has the shape of the strain sent first and holds nothing."""
        return np.zeros(self._shape, np.float32)

    def accept(
        self, number: int, values: NDArray[np.float32]
    ) -> Iterator[NDArray[np.float32]]:
        """Take an answer; give out what is next in order.

        Args:
            number: of the request.
            values: its outputs of shape ``(S, batch_size)``.

        Yields:
            Outputs that count, of shape ``(S, n)``, each once.
        """
        self._early[number] = values
        while self._expected in self._early:
            outputs = self._early.pop(self._expected)
            counted = self.layout.outputs_of(self._expected)
            self._expected += 1
            if self._expected > self._given and counted.start < counted.stop:
                yield outputs[:, counted]


class Sent(NamedTuple):
    """A request that is under way.

    Attributes:
        sequence: that it is of.
        id: the sequence's when it was sent.
        number: of the request.
        slot: place of its data.
        time: when it was sent, of the monotonic clock.
    """

    sequence: SlideSequence
    id: int
    number: int
    slot: int
    time: float

    @property
    def current(self) -> bool:
        """Whether the sequence has not been begun anew since."""
        return self.id == self.sequence.id


class InFlight:
    """The requests under way, and the places for their data.

    Args:
        slots: number of places, which bounds the requests.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self.clear()

    def clear(self) -> None:
        """Forget all requests."""
        self._free = list(range(self._slots))
        self._sent: dict[str, Sent] = {}

    @property
    def full(self) -> bool:
        """Whether no place is free."""
        return not self._free

    @property
    def oldest(self) -> float:
        """When the oldest was sent, of the monotonic clock."""
        # In the order in which they were sent.
        for sent in self._sent.values():
            return sent.time
        return time.monotonic()

    def add(self, sequence: SlideSequence, number: int) -> tuple[str, int]:
        """Note a request; return its id and the place of its data."""
        key, slot = f"{sequence.id}-{number}", self._free.pop()
        self._sent[key] = Sent(
            sequence, sequence.id, number, slot, time.monotonic()
        )
        return key, slot

    def take(self, key: str) -> Sent | None:
        """Free a request's place; None if there is no such request."""
        sent = self._sent.pop(key, None)
        if sent is not None:
            self._free.append(sent.slot)
        return sent
