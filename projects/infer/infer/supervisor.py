"""Keeps a server alive exactly as long as the process that wants it.

Run as a script, with nothing but the standard library:

    python -I supervisor.py OWNER_PID SHM_PREFIX LOG_FILE RESTARTS COMMAND...

It starts the command and ends when told to (SIGTERM, SIGINT, SIGHUP), when
the command ends, or when its own parent is no longer the owner, however the
owner died. Before it ends, every descendant of the command has been stopped,
the ones that lost their parent included, and the shared memory under the
prefix has been removed. The exit code is the command's.

From SIGUSR1 on, by which the owner says that the server has been ready, the
command is started again, RESTARTS times in a row, when a signal has killed
it or one of the processes that run its models: a server goes on without
those, and answers with errors. A command that ends by itself has its reason.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
READY = signal.SIGUSR1
WATCHED = {*STOP, READY, signal.SIGCHLD}
POLL_SECONDS = 0.25
# Between two looks for dead processes of models, for which all are listed.
LOOK_SECONDS = 2.0
GRACE_SECONDS = 10.0
# A server that lived this long may be started again as often as a new one.
PROVEN_SECONDS = 600.0
AGAIN, GIVEN_UP = b"started again\n", b"not started again\n"
# As the kernel cuts it.
MODEL_PROCESS = "triton_python_b"
SHARED_MEMORY = Path("/dev/shm")


def prctl(option: int, value: int) -> None:
    """Set a property of this process that only Linux has."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Process(NamedTuple):
    """A row of the table of processes.

    Attributes:
        pid: its id.
        parent: id of its parent.
        name: of its program, the first 15 characters.
        ended: whether it has ended and its parent has not noticed.
    """

    pid: int
    parent: int
    name: str
    ended: bool


def processes() -> Iterator[Process]:
    """Yield every process there is."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(errors="replace")
            except OSError:
                continue
            # The name in parentheses can hold blanks: the state and the
            # parent follow its last closing parenthesis.
            head, _, tail = stat.rpartition(")")
            state, parent = tail.split()[:2]
            name = head.partition("(")[2]
            yield Process(int(entry.name), int(parent), name, state == "Z")


def descendants(root: int) -> list[Process]:
    """All processes that descend from ``root``, nearest first."""
    children: dict[int, list[Process]] = {}
    for process in processes():
        children.setdefault(process.parent, []).append(process)
    found = list(children.get(root, []))
    for process in found:
        found.extend(children.get(process.pid, []))
    return found


def send_all(number: signal.Signals) -> None:
    """Send a signal to every descendant of this process."""
    for process in descendants(os.getpid()):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue


def reap() -> bool:
    """Collect ended children; return whether any child is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def remove_shared_memory(prefix: str) -> None:
    """Remove the shared-memory files whose name begins with ``prefix``."""
    for path in SHARED_MEMORY.glob(f"{prefix}*"):
        path.unlink(missing_ok=True)


def _before_exec() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class _Watch:
    """What the supervisor has been told, and what it has seen."""

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.ready = False

    def over(self, server: subprocess.Popen[bytes]) -> bool:
        """Wait for the end of the server; say whether it has to end."""
        look = time.monotonic() + LOOK_SECONDS
        while os.getppid() == self.owner:
            if server.poll() is not None:
                return not (self.ready and _killed(server.returncode))
            caught = signal.sigtimedwait(WATCHED, POLL_SECONDS)
            if caught is not None and caught.si_signo in STOP:
                return True
            if caught is not None and caught.si_signo == READY:
                self.ready = True
            if self.ready and time.monotonic() > look:
                if _lacks_a_model():
                    return False
                look = time.monotonic() + LOOK_SECONDS
        return True


def _killed(code: int) -> bool:
    """Whether a signal ended it, or what a container runs."""
    return code < 0 or code > 128


def _lacks_a_model() -> bool:
    """Whether a process that runs a model has died under the server."""
    return any(
        process.ended and process.name == MODEL_PROCESS
        for process in descendants(os.getpid())
    )


def _stop(server: subprocess.Popen[bytes], gently: bool) -> None:
    """End the server and all that it has started."""
    if gently and server.poll() is None:
        send_all(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while server.poll() is None and time.monotonic() < deadline:
            signal.sigtimedwait({signal.SIGCHLD}, POLL_SECONDS)
    send_all(signal.SIGKILL)
    server.wait()
    while reap():
        send_all(signal.SIGKILL)
        time.sleep(0.01)


def _start(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        preexec_fn=_before_exec,
    )


def supervise(
    owner: int, prefix: str, log_file: str, restarts: int, command: list[str]
) -> int:
    """Run the command under the owner's life; return its exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    watch, left = _Watch(owner), restarts
    with Path(log_file).open("wb", buffering=0) as log:
        while True:
            began = time.monotonic()
            server, over = _start(command, log), True
            try:
                over = watch.over(server)
            finally:
                alive = server.poll() is None
                _stop(server, gently=over)
                remove_shared_memory(prefix)
            code = server.returncode
            if time.monotonic() - began > PROVEN_SECONDS:
                left = restarts
            if not over:
                log.write(f"supervisor: {_end(alive, code)}; ".encode())
                log.write(AGAIN if left else GIVEN_UP)
            if over or not left:
                return code if code >= 0 else 128 - code
            left -= 1


def _end(alive: bool, code: int) -> str:
    """How a server ended that was to live on."""
    if alive:
        return "a model's process died"
    return f"ended by signal {-code if code < 0 else code - 128}"


if __name__ == "__main__":
    sys.exit(
        supervise(
            int(sys.argv[1]),
            sys.argv[2],
            sys.argv[3],
            int(sys.argv[4]),
            sys.argv[5:],
        )
    )
