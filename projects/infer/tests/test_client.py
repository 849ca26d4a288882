"""Connections to the real server, and the memory shared with it."""

import contextlib
import dataclasses
import mmap
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conventions.errors import UserError
from infer import shared_memory
from infer.client import NoServerError, StreamClient
from infer.shared_memory import Region, Transport, prefix, remove_leftovers
from infer.streams import request_for
from tritonclient.utils import InferenceServerException

UPDATE = np.ones((1, 2, 1024), np.float32)


@pytest.fixture
def client(address):
    with StreamClient(address, timeout=20) as opened:
        yield opened


def ask(client, sequence, number, start, end, update=UPDATE):
    key = f"{sequence}-{number}"
    request = request_for(key, sequence, update.shape, start, end)
    request.raw_input_contents.append(update.tobytes())
    client.send(request, sequence, end)


def test_no_server():
    with pytest.raises(NoServerError, match="no inference server answers"):
        StreamClient("127.0.0.1:9")


def test_manifest_of_server_is_compared(client, manifest):
    config = dataclasses.replace(manifest.preprocessing, highpass=40.0)
    other = dataclasses.replace(
        manifest, preprocessing=config, psd_length=16.0
    )
    client.check(manifest)
    with pytest.raises(UserError) as caught:
        client.check(other)
    message = str(caught.value)
    assert "highpass: 16.0 at" in message
    assert "40.0 in the manifest" in message
    assert "psd_length: 8.0 at" in message
    assert "16.0 in the manifest" in message


def test_sequences_share_a_connection(client):
    """A sequence that waits does not hold up the others."""
    before = client.requests_served()
    # The server has eight places: the ninth sequence waits for one.
    for sequence in range(11, 20):
        ask(client, sequence, 0, start=True, end=False)
    first = {client.receive().id for _ in range(8)}
    assert len(first) == 8
    for sequence in range(11, 20):
        ask(client, sequence, 1, start=False, end=True)
    rest = [client.receive() for _ in range(10)]
    assert not any(answer.error for answer in rest)
    assert all(answer.values.shape == (16,) for answer in rest)
    assert len({answer.id for answer in rest} | first) == 18
    assert client.requests_served() > before


def test_error_of_a_request_names_it(client):
    ask(client, 31, 0, True, True, np.zeros((1, 2, 17), np.float32))
    answer = client.receive()
    assert answer.id == "31-0"
    assert "17" in answer.error
    assert answer.values.size == 0
    # The client can go on.
    ask(client, 32, 0, start=True, end=True)
    assert not client.receive().error


def regions(client):
    return set(client.control.get_system_shared_memory_status().regions)


def unregistered(client, region):
    """Tries to; an answer comes a moment before its memory is free."""
    with contextlib.suppress(InferenceServerException):
        region.unregister(client.control)
        return True
    return False


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def files():
    return set(Path("/dev/shm").glob(f"{shared_memory.PREFIX}-*"))


def test_shared_memory_leaves_nothing(client):
    before = regions(client)
    transport = Transport(None, slots=3)
    assert not transport.shared
    transport.open(client, 4096)
    assert transport.shared
    (name,) = regions(client) - before
    assert f"-{os.getpid()}-" in name
    # The server has it open; there is no name of it to be left behind.
    assert files() == set()
    transport.open(client, 4096)
    assert name in regions(client)
    transport.close(client.control)
    assert name not in regions(client)
    assert not transport.shared


def test_memory_in_use_stays_until_it_is_not(client):
    """A server does not give up what it still reads."""
    before = regions(client)
    region = Region(client.control, 1, UPDATE.nbytes)
    # The server has eight places: the ninth sequence waits for one.
    for sequence in range(51, 59):
        ask(client, sequence, 0, start=True, end=False)
    assert not any(client.receive().error for _ in range(8))
    request = request_for("waits", 59, UPDATE.shape, start=True, end=True)
    region.attach(request, UPDATE, 0)
    client.send(request, 59, last=True)
    # Until the server has it.
    time.sleep(2)
    with pytest.raises(InferenceServerException, match="currently in use"):
        region.unregister(client.control)
    assert regions(client) == before | {region.name}
    for sequence in range(51, 59):
        ask(client, sequence, 1, start=False, end=True)
    answers = [client.receive() for _ in range(9)]
    assert not any(answer.error for answer in answers)
    assert "waits" in {answer.id for answer in answers}
    wait_for(lambda: unregistered(client, region))
    assert regions(client) == before
    region.close()


def test_memory_that_the_host_lacks(client):
    everything = shutil.disk_usage("/dev/shm").total
    transport = Transport(None, slots=3)
    transport.open(client, everything)
    assert not transport.shared
    with pytest.raises(UserError, match=r"shared_memory.*No space left"):
        Transport(True, slots=3).open(client, everything)
    assert files() == set()


KILLED = """
import os, signal, sys
from infer.client import StreamClient
from infer.shared_memory import Region
client = StreamClient(sys.argv[1])
region = Region(client.control, 1, 4096)
print(region.name, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_memory_of_a_killed_client_is_removed_by_the_next(client):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, client.address],
        stdout=subprocess.PIPE,
        text=True,
    )
    name = killed.stdout.strip()
    assert killed.returncode == -9
    assert name in regions(client)
    pid = name.removeprefix(f"{prefix()}-").split("-")[0]
    # As if it had been killed before the server had it open.
    left = Path("/dev/shm") / f"{prefix()}-{pid}-0123"
    left.touch()
    own = Path("/dev/shm") / f"{prefix()}-{os.getpid()}-0123"
    own.touch()
    remove_leftovers(client.control)
    try:
        assert name not in regions(client)
        assert files() == {own}
    finally:
        own.unlink()


@pytest.fixture
def dead():
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_memory_of_other_hosts_stays(client, dead):
    """Their process ids mean nothing here."""
    name = f"{shared_memory.PREFIX}-{'0' * 16}-{dead}-0123"
    path = Path("/dev/shm") / name
    path.write_bytes(bytes(mmap.PAGESIZE))
    try:
        client.control.register_system_shared_memory(
            name, f"/{name}", mmap.PAGESIZE
        )
        remove_leftovers(client.control)
        assert path.exists()
        assert name in regions(client)
    finally:
        path.unlink()
        client.control.unregister_system_shared_memory(name)


def test_memory_of_other_users_does_not_matter(client, dead, monkeypatch):
    path = Path("/dev/shm") / f"{prefix()}-{dead}-0123"
    path.touch()

    def refuse(*args, **kwargs):
        raise PermissionError(1, "Operation not permitted")

    try:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", refuse)
            remove_leftovers(client.control)
        assert path.exists()
    finally:
        path.unlink()
