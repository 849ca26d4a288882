"""Ends a process when the one that started it ends, however it does.

Run as a script, with nothing but the standard library, it becomes a command
that ends so; or it runs one, and ends it with all that the command started:

    python -I lifeline.py PARENT_PID COMMAND...
    python -I lifeline.py --group PARENT_PID COMMAND...
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

PR_SET_PDEATHSIG = 1

GRACE_SECONDS = 60
"""What was told to end and has not is killed after this."""


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


def run_group(command: Sequence[str]) -> int:
    """Run a command that is told to end as by Ctrl-C, with its children.

    It may not tell them itself, and wait for them; and it may have lost the
    wish to end with its parent, as programs do that change their privileges.

    Args:
        command: runs in a process group of its own, to which the first
            SIGTERM and each SIGINT of this process go as SIGINT.

    Returns:
        Its exit code.
    """
    process = subprocess.Popen(command, process_group=0)
    told = False

    def tell(number: int, *_: Any) -> None:
        nonlocal told
        if number == signal.SIGTERM and told:
            return
        told = True
        kill = number == signal.SIGALRM
        try:
            os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGINT)
        except ProcessLookupError:
            return  # it has just ended
        signal.alarm(GRACE_SECONDS)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, tell)
    code = process.wait()
    return code if code >= 0 else 128 - code


def tied(*, group: bool = False) -> list[str]:
    """How a command begins that ends when this process does.

    Args:
        group: with all that it started.
    """
    options = ["--group"] * group
    return [sys.executable, "-I", __file__, *options, str(os.getpid())]


if __name__ == "__main__":
    group = sys.argv[1] == "--group"
    parent, *command = sys.argv[1 + group :]
    end_with(int(parent))
    if group:
        sys.exit(run_group(command))
    os.execvp(command[0], command)
