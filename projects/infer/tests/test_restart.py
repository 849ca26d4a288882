"""Evaluations go on, with the same outputs, whatever breaks in between."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conventions.errors import UserError
from infer import supervisor
from infer.client import StreamClient
from infer.data import ArraySlide
from infer.monitor import monitor
from infer.server import serve
from infer.shared_memory import PREFIX, remove_leftovers
from infer.streams import InferenceError
from infer.triton_engine import TritonEngine

IDLE_SECONDS = 2


def impatient(repository, path):
    """A copy whose server forgets a sequence that is idle for a moment."""
    shutil.copytree(repository, path)
    config = path / "snapshotter" / "config.pbtxt"
    text = config.read_text()
    text, count = re.subn(
        r"(idle_microseconds: )\d+", rf"\g<1>{IDLE_SECONDS}000000", text
    )
    assert count == 1
    config.write_text(text)
    return path


@pytest.fixture(scope="module")
def server(repository, triton_root, tmp_path_factory):
    """A server that is started again as often as these tests need."""
    path = tmp_path_factory.mktemp("fragile")
    with serve(
        impatient(repository, path / "repository"),
        triton_root=triton_root,
        log_file=path / "server.log",
        restarts=9,
    ) as address:
        yield address


@pytest.fixture(scope="module")
def slides(tiny):
    return [
        ArraySlide(np.stack([tiny.noise(60.0 + i, seed=i)] * (1 + i % 2)))
        for i in range(5)
    ]


def collect(engine, slides, breaks=()):
    """Outputs of all slides; breaks something after some of them."""
    breaks = dict(breaks)
    found = [[] for _ in slides]
    for count, (position, outputs) in enumerate(engine.evaluate(slides)):
        found[position].append(outputs)
        if count in breaks:
            breaks[count]()
    return [np.concatenate(pieces, axis=1) for pieces in found]


@pytest.fixture(scope="module")
def undisturbed(server, manifest, slides):
    with TritonEngine(server.grpc, manifest, streams=3) as engine:
        found = collect(engine, slides)
        assert engine.recoveries == 0
    return found


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def kill(server, name, number=signal.SIGKILL):
    """Send a signal to the first process of a name under the server."""
    pid = next(
        process.pid
        for process in supervisor.descendants(server.pid)
        if process.name == name
    )
    os.kill(pid, number)


@pytest.mark.parametrize(
    ("name", "shared_memory"),
    [
        ("tritonserver", True),
        # The server answers with errors until it is started again.
        ("triton_python_b", False),
    ],
)
def test_killed_server(
    server, manifest, slides, undisturbed, name, shared_memory, tmp_path
):
    """In the burn-in of some slides."""

    def end():
        kill(server, name)

    with (
        TritonEngine(
            server.grpc, manifest, streams=3, shared_memory=shared_memory
        ) as engine,
        monitor(server.grpc, tmp_path / "server.csv", 0.1) as statistics,
    ):
        found = collect(engine, slides, {5: end})
        assert engine.recoveries >= 1
        assert engine.shared_memory is shared_memory
    assert_same(found, undisturbed)
    assert statistics.models["aframe"].requests >= 30
    assert not list(Path("/dev/shm").glob(f"{PREFIX}-*"))


def test_forgotten_sequences(server, manifest, slides, undisturbed):
    """Those that are idle too long, because what comes after is slow."""

    def wait():
        time.sleep(2 * IDLE_SECONDS + 1)

    with TritonEngine(server.grpc, manifest, streams=3) as engine:
        found = collect(engine, slides, {20: wait})
        assert engine.recoveries >= 1
    assert_same(found, undisturbed)


def test_frozen_server(server, manifest, slides, undisturbed, monkeypatch):
    """A time-out, then a server that has all old sequences still."""
    monkeypatch.setattr("infer.client.RPC_SECONDS", 0.5)

    def freeze():
        kill(server, "tritonserver", signal.SIGSTOP)
        timer = threading.Timer(
            3.0, lambda: kill(server, "tritonserver", signal.SIGCONT)
        )
        timer.start()

    with TritonEngine(server.grpc, manifest, streams=3, timeout=1.0) as engine:
        found = collect(engine, slides, {20: freeze})
        assert engine.recoveries >= 1
    assert_same(found, undisturbed)


class Proxy:
    """Passes bytes between clients and a server, until it is cut."""

    def __init__(self, target):
        self.target = target
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target)
                self.sockets += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(
                        target=self.copy, args=pair, daemon=True
                    ).start()

    def copy(self, one, other):
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def cut(self):
        for one in self.sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.sockets = []


@contextmanager
def proxied(address):
    host, port = address.split(":")
    proxy = Proxy((host, int(port)))
    try:
        yield proxy
    finally:
        proxy.listener.close()
        proxy.cut()


@pytest.mark.parametrize("shared_memory", [True, False])
def test_cut_connection(address, manifest, tiny, shared_memory):
    """The server lives on and has all its places taken: they are freed."""
    slides = [ArraySlide(tiny.noise(60.0, seed=i)[None]) for i in range(12)]
    with TritonEngine(address, manifest, streams=8) as engine:
        expected = collect(engine, slides)
    with (
        proxied(address) as proxy,
        TritonEngine(
            proxy.address, manifest, streams=8, shared_memory=shared_memory
        ) as engine,
    ):
        began = time.monotonic()
        found = collect(engine, slides, {8: proxy.cut, 80: proxy.cut})
        # Sequences that wait for their place would wait for two minutes.
        assert time.monotonic() - began < 100
        assert engine.recoveries >= 2
    assert_same(found, expected)


def test_another_network_after_a_restart(server, manifest, slides):
    """Whatever comes up at the address is looked at again."""
    with (
        proxied(server.grpc) as proxy,
        TritonEngine(proxy.address, manifest, streams=3) as engine,
    ):

        def restart():
            engine.manifest = replace(manifest, weights_sha256="0" * 64)
            proxy.cut()

        with pytest.raises(UserError, match=r"another network.*\s+weights_"):
            collect(engine, slides, {5: restart})


def test_server_that_is_gone_for_good(server, manifest, slides, tmp_path):
    log = tmp_path / "server.log"
    log.write_text("I1123 started\nE1123 the last words of the server\n")

    def end():
        proxy.listener.close()
        proxy.cut()

    with (
        proxied(server.grpc) as proxy,
        TritonEngine(
            proxy.address, manifest, streams=3, patience=2, log_file=log
        ) as engine,
    ):
        with pytest.raises(InferenceError) as caught:
            collect(engine, slides, {5: end})
        # And what is said of it afterwards is true.
        with pytest.raises(UserError, match="no inference server answers"):
            collect(engine, slides)
    message = str(caught.value)
    assert re.search(
        f"the server at {proxy.address} failed: lost [3-9] times in [2-9] s",
        message,
    )
    assert f"{log} says:\nE1123 the last words of the server" in message
    assert not list(Path("/dev/shm").glob(f"{PREFIX}-*"))


CLIENT = """
import os, signal, sys
import numpy as np
from pathlib import Path
from infer.data import ArraySlide
from infer.triton_engine import TritonEngine
from preprocessing.manifest import Manifest
manifest = Manifest.read(Path(sys.argv[2]) / "manifest.json")
slides = [ArraySlide(np.ones((1, 2, 256 * 100))) for _ in range(8)]
with TritonEngine(sys.argv[1], manifest, streams=8) as engine:
    for _ in engine.evaluate(slides):
        print(os.getpid(), engine.shared_memory, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_client(server, repository, manifest, slides, undisturbed):
    """Its memory has no name that would stay, and is freed by the next."""
    killed = subprocess.run(
        [sys.executable, "-c", CLIENT, server.grpc, str(repository)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL
    pid, shared = killed.stdout.split()
    assert shared == "True"
    assert not list(Path("/dev/shm").glob(f"{PREFIX}-*"))
    with StreamClient(server.grpc) as client:

        def left():
            status = client.control.get_system_shared_memory_status()
            return [name for name in status.regions if f"-{pid}-" in name]

        assert len(left()) == 1
        # Its sequences have all places until the server forgets them.
        with TritonEngine(server.grpc, manifest, streams=3) as engine:
            found = collect(engine, slides)
        remove_leftovers(client.control)
        assert left() == []
    assert_same(found, undisturbed)
