"""Which device a worker computes on: each one is one worker's at a time."""

import errno
import hashlib
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

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
def claim(gpus: str, pool: Path) -> Iterator[str]:
    """Use a device that no other process of a pool uses.

    Waits for as long as none is free. Other processes no longer see the
    device as taken when the block or this process ends, however it does.

    Args:
        gpus: comma-separated ids of the GPUs of the pool; empty: the CPU.
        pool: directory of the results; processes that work for another one
            are not waited for.

    Yields:
        The id of a GPU, the only one that CUDA finds within the block if
        it starts there; or ``cpu``.
    """
    with _any_of(names(gpus), pool) as name:
        if name == "cpu":
            yield name
            return
        with config.only_gpu(name):
            yield name


@contextmanager
def _any_of(names: Sequence[str], pool: Path) -> Iterator[str]:
    """Hold the first name that is free."""
    while True:
        for name in names:
            # A socket of the abstract namespace is one process's, leaves no
            # file, and is gone with its owner.
            with socket.socket(socket.AF_UNIX) as lock:
                try:
                    lock.bind(_lock_name(name, pool))
                except OSError as error:
                    if error.errno != errno.EADDRINUSE:
                        raise
                    continue
                yield name
                return
        time.sleep(POLL_SECONDS)


def _lock_name(name: str, pool: Path) -> str:
    key = hashlib.sha256(f"{os.getuid()}:{pool}:{name}".encode())
    return f"\0aframe-device-{key.hexdigest()[:32]}"
