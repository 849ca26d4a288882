"""Strain of requests in memory that a server on the same host reads."""

import contextlib
import functools
import hashlib
import logging
import mmap
import os
import re
import secrets
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton
from conventions.errors import UserError
from numpy.typing import NDArray
from tritonclient.grpc.service_pb2 import ModelInferRequest

from infer.client import RPC_SECONDS, StreamClient
from infer.streams import ConnectionLostError

logger = logging.getLogger(__name__)

FOLDER = Path("/dev/shm")
PREFIX = "aframe-client"
NAME = re.compile(rf"({PREFIX}-[0-9a-f]+)-(\d+)-[0-9a-f]+")
BOOT = Path("/proc/sys/kernel/random/boot_id")
NAMESPACE = Path("/proc/self/ns/pid")
# What says nothing of the memory, but that the server is not there.
AWAY = tuple(
    f"StatusCode.{name}"
    for name in ("CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE")
)


@functools.cache
def prefix() -> str:
    """What the names of regions of this host begin with.

    Process ids say nothing about the clients of other hosts and containers
    that share a server or ``/dev/shm`` with this one.

    Raises:
        OSError: if this system does not say which one it is.
    """
    where = BOOT.read_text() + str(NAMESPACE.readlink())
    return f"{PREFIX}-{hashlib.sha256(where.encode()).hexdigest()[:16]}"


def _owner_is_gone(name: str) -> bool:
    """Whether a name is of a region of this host whose process has ended."""
    found = NAME.fullmatch(name)
    if found is None or found[1] != prefix():
        return False
    try:
        os.kill(int(found[2]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def remove_leftovers(control: triton.InferenceServerClient) -> None:
    """Remove what clients left that were killed, here and at the server.

    Only what clients of this host left, whose process ids are known here.

    Args:
        control: client of the server that they may have used.
    """
    for path in FOLDER.glob(f"{prefix()}-*"):
        if _owner_is_gone(path.name):
            # Another user's, which only that user may remove.
            with contextlib.suppress(PermissionError):
                path.unlink(missing_ok=True)
    status = control.get_system_shared_memory_status(
        client_timeout=RPC_SECONDS
    )
    for name in list(status.regions):
        if _owner_is_gone(name):
            # Refused while the server still works on its requests.
            with contextlib.suppress(triton.InferenceServerException):
                control.unregister_system_shared_memory(
                    name, client_timeout=RPC_SECONDS
                )


class Region:
    """Places for the strain of requests, registered at one server.

    The region has a name in the file system only until the server has
    opened it, so that nothing is left there however this process ends.

    Args:
        control: client of the server.
        slots: number of places.
        slot_bytes: size of a place.

    Raises:
        OSError: if this host cannot provide the memory.
        InferenceServerException: if the server cannot open it, because it
            runs elsewhere or may not.
    """

    def __init__(
        self,
        control: triton.InferenceServerClient,
        slots: int,
        slot_bytes: int,
    ) -> None:
        self.name = f"{prefix()}-{os.getpid()}-{secrets.token_hex(8)}"
        self.slot_bytes = slot_bytes
        size = slots * slot_bytes
        remove_leftovers(control)
        path = FOLDER / self.name
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
        descriptor = os.open(path, flags, 0o600)
        try:
            # Memory that is short must fail here, not at a later write.
            os.posix_fallocate(descriptor, 0, size)
            self._memory = mmap.mmap(descriptor, size)
            control.register_system_shared_memory(
                self.name, f"/{self.name}", size, client_timeout=RPC_SECONDS
            )
        finally:
            os.close(descriptor)
            path.unlink()

    def is_known(self, control: triton.InferenceServerClient) -> bool:
        """Whether a server has the region."""
        status = control.get_system_shared_memory_status(
            client_timeout=RPC_SECONDS
        )
        return self.name in status.regions

    def attach(
        self,
        request: ModelInferRequest,
        strain: NDArray[np.float32],
        slot: int,
    ) -> None:
        """Put the data of a request into one of the places.

        Args:
            request: is told where they are.
            strain: the data.
            slot: the place, to be kept until the answer has come.
        """
        offset = slot * self.slot_bytes
        place = np.ndarray(
            strain.shape, np.float32, buffer=self._memory, offset=offset
        )
        place[...] = strain
        parameters = request.inputs[0].parameters
        parameters["shared_memory_region"].string_param = self.name
        parameters["shared_memory_byte_size"].int64_param = strain.nbytes
        parameters["shared_memory_offset"].int64_param = offset

    def unregister(self, control: triton.InferenceServerClient) -> None:
        """Let the server give up the region.

        Raises:
            InferenceServerException: if a request still uses it, or no
                server answers.
        """
        control.unregister_system_shared_memory(
            self.name, client_timeout=RPC_SECONDS
        )

    def close(self) -> None:
        """Give up this process's own share."""
        self._memory.close()


class Transport:
    """How the strain of requests gets to the server.

    Args:
        wanted: whether through shared memory; None takes that where it
            works, and gRPC otherwise.
        slots: requests that are under way at most.
    """

    def __init__(self, wanted: bool | None, slots: int) -> None:
        self.wanted = wanted
        self.slots = slots
        self._region: Region | None = None

    @property
    def shared(self) -> bool:
        """Whether the strain is in shared memory."""
        return self._region is not None

    def open(self, client: StreamClient, slot_bytes: int) -> None:
        """Make ready for a server, which may be another than before.

        Args:
            client: of the server.
            slot_bytes: size of the strain of a request.

        Raises:
            UserError: if memory must be shared and cannot be.
            ConnectionLostError: if the server does not answer.
        """
        if self.wanted is False:
            return
        try:
            if self._region and self._region.is_known(client.control):
                return
            self._drop()
            self._region = Region(client.control, self.slots, slot_bytes)
        except (OSError, triton.InferenceServerException) as error:
            if getattr(error, "status", str)() in AWAY:
                raise ConnectionLostError(str(error)) from error
            if self.wanted:
                raise UserError(
                    f"shared_memory: the server at {client.address} and this "
                    f"process cannot share memory: {error}"
                ) from error
            logger.info("no memory shared with %s: %s", client.address, error)
        else:
            logger.info("memory shared with %s", client.address)

    def attach(
        self,
        request: ModelInferRequest,
        strain: NDArray[np.float32],
        slot: int,
    ) -> None:
        """Give a request its data.

        Args:
            request: takes them, or is told where they are.
            strain: the data.
            slot: place that is the request's until its answer has come.
        """
        if self._region is None:
            request.raw_input_contents.append(strain.tobytes())
        else:
            self._region.attach(request, strain, slot)

    def close(self, control: triton.InferenceServerClient | None) -> None:
        """Give up shared memory, here and at the server.

        Args:
            control: client of the server; None if there is none any more.
        """
        region = self._region
        if region is not None and control is not None:
            try:
                region.unregister(control)
            except triton.InferenceServerException as error:
                logger.warning("shared memory stays at the server: %s", error)
        self._drop()

    def _drop(self) -> None:
        if self._region is not None:
            self._region.close()
            self._region = None
