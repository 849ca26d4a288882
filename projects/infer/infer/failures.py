"""What the errors of a server mean, and how to wait for a better one."""

import time

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


def pause(failures: int) -> None:
    """Wait after a failure that follows others, longer each time.

    Args:
        failures: in a row, the last one included; after the first there is
            no pause.
    """
    if failures > 1:
        time.sleep(min(FIRST_PAUSE * 2 ** (failures - 2), LONGEST_PAUSE))
