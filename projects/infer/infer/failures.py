"""What the errors of a server mean, and how to wait for a better one."""

import time

from infer.streams import InferenceError

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
# What a server says of a sequence that it has forgotten, or not begun.
FORGOTTEN = (
    "no state of sequence",
    "must specify the START flag",
)
# What a server says that is of no more use to anybody, or not to us.
BROKEN = (
    "is not healthy",
    "Server is stopping",
    "Unable to find shared memory region",
)


def is_broken(message: str) -> bool:
    """Whether a server that says so is of no more use as it is."""
    return any(phrase in message for phrase in BROKEN)


def is_forgotten(message: str) -> bool:
    """Whether a server that says so has lost the sequence alone."""
    return any(phrase in message for phrase in FORGOTTEN)


class Failures:
    """Failures in a row, and since when there have been some."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Note a success."""
        self._count = 0
        self._first = 0.0

    def add(self, reason: str, patience: float) -> None:
        """Note a failure.

        Args:
            reason: of this one, for the error.
            patience: seconds from the first failure in a row to the last
                one after which it is worth to go on.

        Raises:
            InferenceError: if it is not worth it any more.
        """
        now = time.monotonic()
        if not self._count:
            self._first = now
        self._count += 1
        elapsed = now - self._first
        if elapsed >= patience:
            raise InferenceError(
                f"lost {self._count} times in {elapsed:.0f} s without an "
                f"output in between: {reason}"
            )

    def pause(self) -> None:
        """Wait before going on: not after the first, then ever longer."""
        if self._count > 1:
            growing = FIRST_PAUSE * 2 ** min(self._count - 2, 10)
            time.sleep(min(growing, LONGEST_PAUSE))
