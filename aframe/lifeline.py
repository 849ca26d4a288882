"""Ends a process when the one that started it ends, however it does.

Run as a script, with nothing but the standard library, it becomes a command
that ends so:

    python -I lifeline.py PARENT_PID COMMAND...
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Let this process be told to end (SIGTERM) when its parent ends.

    The wish outlives ``exec``, and is not inherited by what is forked.

    Args:
        parent: id of the process that started this one.

    Raises:
        OSError: if the system refuses; it is Linux's.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if os.getppid() != parent:
        # It ended before that.
        os.kill(os.getpid(), signal.SIGTERM)


def tied() -> list[str]:
    """How a command begins that ends when this process does."""
    return [sys.executable, "-I", __file__, str(os.getpid())]


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
