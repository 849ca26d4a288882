"""Keeps a server alive exactly as long as the process that wants it.

Run as a script, with nothing but the standard library:

    python -I supervisor.py OWNER_PID SHM_PREFIX LOG_FILE COMMAND...

It starts the command and ends when told to (SIGTERM, SIGINT, SIGHUP), when
the command ends, or when its own parent is no longer the owner, however the
owner died. Before it ends, every descendant of the command has been stopped,
the ones that lost their parent included, and the shared memory under the
prefix has been removed. The exit code is the command's.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
WATCHED = {*STOP, signal.SIGCHLD}
POLL_SECONDS = 0.25
GRACE_SECONDS = 10.0
SHARED_MEMORY = Path("/dev/shm")


def prctl(option: int, value: int) -> None:
    """Set a property of this process that only Linux has."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def parents() -> Iterator[tuple[int, int]]:
    """Yield (process id, id of its parent) for every process there is."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            # The name in parentheses can hold blanks: the state and the
            # parent follow its last closing parenthesis.
            yield int(entry.name), int(stat.rpartition(")")[2].split()[1])


def descendants(root: int) -> list[int]:
    """Process ids of all that descend from ``root``, nearest first."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents():
        children.setdefault(parent, []).append(pid)
    found = list(children.get(root, []))
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def send_all(number: signal.Signals) -> None:
    """Send a signal to every descendant of this process."""
    for pid in descendants(os.getpid()):
        try:
            os.kill(pid, number)
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


def _watch(server: subprocess.Popen[bytes], owner: int) -> None:
    """Return when the server has ended or has to end."""
    while server.poll() is None and os.getppid() == owner:
        caught = signal.sigtimedwait(WATCHED, POLL_SECONDS)
        if caught is not None and caught.si_signo in STOP:
            return


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and all that it has started, gently at first."""
    if server.poll() is None:
        send_all(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while server.poll() is None and time.monotonic() < deadline:
            signal.sigtimedwait({signal.SIGCHLD}, POLL_SECONDS)
    send_all(signal.SIGKILL)
    server.wait()
    while reap():
        send_all(signal.SIGKILL)
        time.sleep(0.01)


def supervise(
    owner: int, prefix: str, log_file: str, command: list[str]
) -> int:
    """Run the command under the owner's life; return its exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    with Path(log_file).open("wb") as log:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_before_exec,
        )
    try:
        _watch(server, owner)
    finally:
        _stop(server)
        remove_shared_memory(prefix)
    code = server.returncode
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(
        supervise(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
    )
