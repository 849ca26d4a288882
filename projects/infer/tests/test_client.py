"""Connections to the real server, and the memory shared with it."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conventions.errors import UserError
from infer import shared_memory
from infer.client import NoServerError, StreamClient
from infer.shared_memory import Transport, remove_leftovers
from infer.streams import request_for

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
    transport = Transport(True, slots=40)
    transport.open(client, UPDATE.nbytes)
    for number in range(40):
        request = request_for(
            str(number), 51, UPDATE.shape, number == 0, number == 39
        )
        transport.attach(request, UPDATE, number)
        client.send(request, 51, last=number == 39)
    answers = [client.receive() for _ in range(40)]
    assert not any(answer.error for answer in answers)
    transport.close(client.control)


def test_memory_that_the_host_lacks(client, monkeypatch):
    def refuse(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    transport = Transport(None, slots=3)
    transport.open(client, 4096)
    assert not transport.shared
    with pytest.raises(UserError, match=r"shared_memory.*No space left"):
        Transport(True, slots=3).open(client, 4096)
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
    pid = name.removeprefix(f"{shared_memory.PREFIX}-").split("-")[0]
    # As if it had been killed before the server had it open.
    left = Path("/dev/shm") / f"{shared_memory.PREFIX}-{pid}-0123"
    left.touch()
    own = Path("/dev/shm") / f"{shared_memory.PREFIX}-{os.getpid()}-0123"
    own.touch()
    remove_leftovers(client.control)
    try:
        assert name not in regions(client)
        assert files() == {own}
    finally:
        own.unlink()
