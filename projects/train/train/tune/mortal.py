"""Become a command that dies with the process that started it.

Run as a script: ``python mortal.py PARENT COMMAND...``. Ray's workers may be
killed at any time, and then cannot end the training that they started.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""Of prctl(2): the signal that a process gets when its parent ends."""


def main() -> None:
    """Ask the kernel for the signal, and become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl failed")
    if os.getppid() != parent:  # it has died before it was watched
        return
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
