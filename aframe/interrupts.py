"""How a run ends early: by SIGTERM as by Ctrl-C, through ``finally``."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from aframe import config

END_SECONDS = 2.0
"""How long a process that was killed may take to be gone."""

_waiting: list[int] | None = None


class _ChildInterrupt(SystemExit, KeyboardInterrupt):
    """Ends a worker process as Ctrl-C does, but without a traceback."""


def end_in_order() -> None:
    """Let SIGTERM end this process as Ctrl-C does, through ``finally``."""
    sys.excepthook = _show
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)


@contextmanager
def held() -> Iterator[None]:
    """Let a signal that comes within the block take effect at its end."""
    global _waiting
    if _waiting is not None:
        yield
        return
    _waiting = []
    try:
        yield
    finally:
        arrived, _waiting = _waiting, None
        if arrived:
            _stop(arrived[0], None)


def orphaned() -> bool:
    """Whether this is a worker process whose luigi is gone.

    It is told to end then as by Ctrl-C, but nobody has asked for that.
    """
    luigi_process = multiprocessing.parent_process()
    if luigi_process is None:
        return False
    # Its threads end one after the other, and the first one's end tells.
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        if os.getppid() != luigi_process.pid:
            return True
        time.sleep(0.02)
    return False


def _show(kind: type, error: BaseException, trace: Any) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    elif config.error_file() is None:
        # In a container, the law outside says so.
        sys.stderr.write("interrupted; run again to continue\n")


def _ignore(signum: int, frame: FrameType | None) -> None:
    pass


def _stop(signum: int, frame: FrameType | None) -> None:
    if _waiting is not None:
        _waiting.append(signum)
        return
    # What ends must not be interrupted, except by a second Ctrl-C. With
    # SIG_IGN, a signal that has just arrived would raise an OSError.
    signal.signal(signal.SIGTERM, _ignore)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if multiprocessing.parent_process() is not None:
        raise _ChildInterrupt(128 + signum)
    # Any other exception would count as the failure of one task.
    raise KeyboardInterrupt
