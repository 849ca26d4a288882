"""Outputs that are either complete or absent."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def complete(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file so that it is seen complete or not at all.

    Parent directories are made. The body writes to the temporary path that
    is yielded, which lies beside the target and has its suffix; leaving the
    body flushes it to disk and renames it over the target. A body that
    raises leaves the target as it was and removes the temporary file. A
    killed process can leave a temporary file behind, whose name starts
    with a dot and which nothing reads.

    Args:
        path: the file to be written.

    Yields:
        The temporary path to write to.

    Raises:
        FileNotFoundError: if the body did not write the temporary file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        temporary = scratch / path.name
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def complete_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a directory so that it is seen complete or not at all.

    The body fills the temporary directory that is yielded; leaving the body
    flushes its files and moves it to the target. An earlier target is moved
    aside first and removed last, so that a process killed in between leaves
    no target rather than a mixture.

    Args:
        path: the directory to be written.

    Yields:
        The temporary directory, empty.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        temporary = scratch / path.name
        temporary.mkdir()
        yield temporary
        for entry in temporary.rglob("*"):
            if entry.is_file():
                _sync(entry)
        if path.exists():
            path.replace(scratch / "replaced")
        temporary.replace(path)
        _sync(path.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
