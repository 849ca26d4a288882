"""Which device a worker computes on: each is one worker's of a run."""

import errno
import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from aframe import config

POLL_SECONDS = 0.5


def names(gpus: str) -> list[str]:
    """The devices of a list of GPUs.

    Args:
        gpus: comma-separated ids.

    Returns:
        The ids; ``cpu`` alone if there are none.
    """
    found = [name.strip() for name in gpus.split(",")]
    return [name for name in found if name] or ["cpu"]


@contextmanager
def claim(
    gpus: str, say: Callable[[str], None], run: str | None = None
) -> Iterator[str]:
    """Use a device that no other process of this run uses.

    Waits for as long as none is free. Other processes no longer see the
    device as taken when the block or this process ends, however it does.
    Other runs are not waited for: jobs of a batch system can share a
    machine and call different GPUs by the same id.

    Args:
        gpus: comma-separated ids of the GPUs of the run; empty: the CPU.
        say: is told, once, that none is free.
        run: id of the run; None: this one.

    Yields:
        The id of a GPU, the only one that CUDA finds within the block if
        it starts there; or ``cpu``.
    """
    with _any_of(names(gpus), say, run or config.run_id()) as name:
        if name == "cpu":
            yield name
            return
        with config.only_gpu(name):
            yield name


@contextmanager
def _any_of(
    names: Sequence[str], say: Callable[[str], None], run: str
) -> Iterator[str]:
    """Hold the first name that is free."""
    told = False
    while True:
        for name in names:
            # A socket of the abstract namespace is one process's, leaves no
            # file, and is gone with its owner.
            with socket.socket(socket.AF_UNIX) as lock:
                try:
                    lock.bind(_lock_name(name, run))
                except OSError as error:
                    if error.errno != errno.EADDRINUSE:
                        raise
                    continue
                yield name
                return
        if not told:
            say(f"waits: other workers of this run use {', '.join(names)}")
            told = True
        time.sleep(POLL_SECONDS)


def _lock_name(name: str, run: str) -> str:
    key = hashlib.sha256(f"{os.getuid()}:{run}:{name}".encode())
    return f"\0aframe-device-{key.hexdigest()[:32]}"
