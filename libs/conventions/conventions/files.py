"""Outputs that are either complete or absent."""

import ctypes
import errno
import glob
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Of renameat2(2): paths count from the working directory; names change
# places.
AT_FDCWD = -100
RENAME_EXCHANGE = 2
NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def scratch_beside(path: Path) -> Iterator[Path]:
    """Make a directory beside a target, and remove those of the dead.

    Its name holds this machine's name and the process, by which a later
    writer of the same target knows what a killed process left behind.

    Args:
        path: the target; the directory that holds it is made.

    Yields:
        The directory, which is removed in the end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = f".{path.name}.{socket.gethostname()}."
    for left in path.parent.glob(f"{glob.escape(owner)}*"):
        pid = left.name.removeprefix(owner).partition(".")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    scratch = tempfile.mkdtemp(
        prefix=f"{owner}{os.getpid()}.", dir=path.parent
    )
    try:
        yield Path(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths change places at once, where the system can.

    Returns:
        Whether it could: not on every filesystem, and on Linux alone.

    Raises:
        OSError: for any other reason.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    pair = (AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other))
    if not rename(*pair, RENAME_EXCHANGE):
        return True
    number = ctypes.get_errno()
    if number in NOT_SUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


@contextmanager
def complete(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file so that it is seen complete or not at all.

    Parent directories are made. The body writes to the temporary path that
    is yielded, which lies beside the target and has its suffix; leaving the
    body flushes it to disk and renames it over the target. A body that
    raises leaves the target as it was and removes the temporary file. What
    a killed process leaves behind has a name that starts with a dot,
    nothing reads it, and the next writer of the target removes it.

    Args:
        path: the file to be written.

    Yields:
        The temporary path to write to.

    Raises:
        FileNotFoundError: if the body did not write the temporary file.
    """
    path = Path(path)
    with scratch_beside(path) as scratch:
        temporary = scratch / path.name
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)


@contextmanager
def complete_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a directory so that it is seen complete or not at all.

    The body fills the temporary directory that is yielded; leaving the body
    flushes its files and moves it to the target. An earlier target changes
    places with it and is removed last. Where the system cannot do that at
    once, it is moved aside first, so that a process killed in between leaves
    no target rather than a mixture.

    Args:
        path: the directory to be written.

    Yields:
        The temporary directory, empty.
    """
    path = Path(path)
    with scratch_beside(path) as scratch:
        temporary = scratch / path.name
        temporary.mkdir()
        yield temporary
        for entry in temporary.rglob("*"):
            if entry.is_file():
                _sync(entry)
        if not path.exists():
            temporary.replace(path)
        elif not _exchange(temporary, path):
            path.replace(scratch / "replaced")
            temporary.replace(path)
        _sync(path.parent)
