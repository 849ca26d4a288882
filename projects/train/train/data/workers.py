"""Worker processes of the loaders."""

import os
import tempfile
from pathlib import Path

from conventions.errors import UserError

SOCKET_PATH_BYTES = 107
"""Longest path of a socket on Linux."""

NAME_BYTES = len("/pymp-12345678/listener-12345678")
"""What multiprocessing appends to the directory of temporary files."""


def check_sockets(num_workers: int) -> None:
    """Refuse a directory in which workers cannot hand batches over.

    They do so through sockets with names. Where one cannot be made, torch's
    workers go on without a word, and the training waits for ever.

    Args:
        num_workers: worker processes.

    Raises:
        UserError: if the path of the directory for temporary files is too
            long.
    """
    directory = tempfile.gettempdir()
    longest = SOCKET_PATH_BYTES - NAME_BYTES
    length = len(bytes(Path(directory)))
    if num_workers > 0 and length > longest:
        raise UserError(
            f"TMPDIR: {directory} has {length} bytes, and sockets of worker "
            f"processes need a directory of at most {longest}: set TMPDIR to "
            "a shorter one, or data.num_workers to 0"
        )


def give_way(worker: int) -> None:
    """Let a worker process have what the training leaves of the cores.

    Threads of the training that compute a layer together all wait for the
    one that a worker has taken the place of.

    Args:
        worker: number of the worker.
    """
    os.nice(19)
