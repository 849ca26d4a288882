"""The server's life, on the real server with a model that loads fast."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tritonclient.grpc as triton
from conventions.errors import UserError
from infer.server import choose_port, errors_in, serve

MODEL = """
import time
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        {initialize}

    def execute(self, requests):
        return [pb_utils.InferenceResponse([]) for _ in requests]
"""
CONFIG = """
backend: "python"
input {{ name: "x" data_type: TYPE_FP32 dims: [1] }}
output {{ name: "y" data_type: {type} dims: [1] }}
instance_group {{ count: 2 kind: KIND_CPU }}
"""
OWNER = """
import signal, sys, time
from pathlib import Path
from infer.server import choose_port, serve
# A shell that runs tests in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
with serve(
    Path(sys.argv[1]),
    triton_root=Path(sys.argv[2]),
    log_file=Path(sys.argv[3]),
    restarts=1,
) as address:
    print(address, address.pid, flush=True)
    # A signal just before a long sleep would be seen after it only.
    while True:
        time.sleep(0.05)
"""
FAKE_APPTAINER = """#!/usr/bin/env bash
printf '%s\\n' "$@" > {record}
shift 3
while [ "$1" != tritonserver ]; do shift; done
shift
export PATH={bin}:$PATH LD_LIBRARY_PATH={libraries}
exec {root}/pytriton/tritonserver/bin/tritonserver \
    --backend-directory {backends} "$@"
"""


def make_models(path, initialize="pass", output_type="TYPE_FP32"):
    version = path / "echo" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(MODEL.format(initialize=initialize))
    config = CONFIG.format(type=output_type)
    (path / "echo" / "config.pbtxt").write_text(config)
    return path


@pytest.fixture
def models(tmp_path):
    return make_models(tmp_path / "models")


def processes(models):
    """Ids of the processes that were told of the repository."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(models).encode() in line and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def shared_memory(pid):
    return list(Path("/dev/shm").glob(f"aframe-{pid}-*"))


def assert_gone(models, owner, within=0.0):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and (
        processes(models) or shared_memory(owner)
    ):
        time.sleep(0.1)
    assert processes(models) == []
    assert shared_memory(owner) == []


def test_normal_end(models, triton_root, tmp_path):
    log = tmp_path / "logs" / "server.log"
    began = shared_memory(os.getpid())
    with serve(models, triton_root=triton_root, log_file=log) as address:
        assert str(address) == address.grpc
        assert address.grpc.startswith("127.0.0.1:")
        assert address.http is None
        client = triton.InferenceServerClient(address.grpc)
        assert client.is_model_ready("echo")
        client.close()
        # Supervisor, server, two stubs.
        assert len(processes(models)) == 4
        assert len(shared_memory(os.getpid())) > len(began)
    assert processes(models) == []
    assert shared_memory(os.getpid()) == began
    assert "Started GRPCInferenceService" in log.read_text()


def test_exception(models, triton_root, tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        serve(models, triton_root=triton_root, log_file=tmp_path / "log"),
    ):
        _ = 1 / 0
    assert processes(models) == []


@pytest.fixture
def owner(models, triton_root, tmp_path):
    arguments = [models, triton_root, tmp_path / "log"]
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    line = process.stdout.readline()
    assert line, process.stderr.read()
    process.address, supervisor = line.split()
    process.supervisor = int(supervisor)
    assert len(shared_memory(process.pid)) == 2
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
)
def test_owner_gets_a_signal(models, owner, number):
    """Sent to the whole group, as a terminal or a batch system does."""
    os.killpg(owner.pid, number)
    owner.wait(30)
    assert_gone(models, owner.pid, within=20)


def only(models, owner, within=20.0):
    """Whether the owner, which lives on, is all that is left."""
    deadline = time.monotonic() + within
    while processes(models) != [owner.pid] and time.monotonic() < deadline:
        time.sleep(0.1)
    return processes(models) == [owner.pid]


def named(models, name):
    found = []
    for pid in processes(models):
        # One that has just ended has no name any more.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                found.append(pid)
    return found


def wait_for_another(models, name, before, within=30.0):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = named(models, name)
        if found and not set(found) & set(before):
            return found
        time.sleep(0.1)
    raise AssertionError(f"no other {name} after {within} s")


def test_supervisor_is_killed(models, owner):
    os.kill(owner.supervisor, signal.SIGKILL)
    assert only(models, owner)
    owner.send_signal(signal.SIGINT)
    owner.wait(30)
    assert shared_memory(owner.pid) == []


@pytest.mark.parametrize("name", ["tritonserver", "triton_python_b"])
def test_killed_server_is_started_again(models, owner, tmp_path, name):
    """At the same address, as often as was said."""
    before = named(models, "tritonserver")
    os.kill(named(models, name)[0], signal.SIGKILL)
    again = wait_for_another(models, "tritonserver", before)
    with triton.InferenceServerClient(owner.address) as client:
        wait_until_ready(client)
        assert client.is_model_ready("echo")
    assert len(shared_memory(owner.pid)) == 2
    os.kill(again[0], signal.SIGKILL)
    assert only(models, owner)
    said = errors_in(tmp_path / "log").splitlines()
    assert said[0].startswith("supervisor: ")
    assert said[0].endswith("; started again")
    assert said[1] == "supervisor: ended by signal 9; not started again"
    owner.send_signal(signal.SIGINT)
    owner.wait(30)
    assert shared_memory(owner.pid) == []


def test_owner_is_killed_after_a_restart(models, owner):
    before = named(models, "tritonserver")
    os.kill(before[0], signal.SIGKILL)
    wait_for_another(models, "tritonserver", before)
    owner.kill()
    owner.wait(30)
    assert_gone(models, owner.pid, within=20)


def wait_until_ready(client, within=30.0):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if client.is_server_ready():
                return
        except triton.InferenceServerException:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not ready after {within} s")


def test_port_in_use(models, triton_root, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for name in ("grpc_port", "http_port"):
            with (
                pytest.raises(UserError) as caught,
                serve(
                    models,
                    triton_root=triton_root,
                    log_file=tmp_path / "log",
                    **{name: port},
                ),
            ):
                pass
            assert f"{name}: cannot listen on 127.0.0.1:{port}" in str(
                caught.value
            )


@pytest.mark.parametrize("port", [0, -1, 70000])
def test_a_number_that_is_no_port(port):
    with pytest.raises(UserError, match=f"grpc_port: {port} is not a port"):
        choose_port("127.0.0.1", port, "grpc_port")


def test_a_path_with_a_space_is_refused(tmp_path):
    repository = tmp_path / "a run" / "repository"
    repository.mkdir(parents=True)
    with (
        pytest.raises(UserError, match="has a space in its path"),
        serve(repository, triton_root=tmp_path, log_file=tmp_path / "log"),
    ):
        pass


def test_given_ports(models, triton_root, tmp_path):
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], two.getsockname()[1]
    with serve(
        models,
        triton_root=triton_root,
        log_file=tmp_path / "log",
        grpc_port=ports[0],
        http_port=ports[1],
    ) as address:
        assert address.grpc == f"127.0.0.1:{ports[0]}"
        assert address.http == f"127.0.0.1:{ports[1]}"
        socket.create_connection(("127.0.0.1", ports[1]), 5).close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initialize": "raise ValueError('no weights here')"}, "no weights"),
        ({"output_type": "TYPE_NONSENSE"}, "TYPE_NONSENSE"),
    ],
)
def test_rejected_repository(triton_root, tmp_path, changes, message):
    models = make_models(tmp_path / "bad", **changes)
    with (
        pytest.raises(UserError, match=message) as caught,
        serve(models, triton_root=triton_root, log_file=tmp_path / "log"),
    ):
        pass
    assert str(models) in str(caught.value)
    assert len(str(caught.value).splitlines()) < 20
    assert processes(models) == []


def test_not_ready_in_time(triton_root, tmp_path):
    models = make_models(tmp_path / "slow", initialize="time.sleep(600)")
    with (
        pytest.raises(UserError, match="was not ready within 2 s"),
        serve(
            models,
            triton_root=triton_root,
            log_file=tmp_path / "log",
            timeout=2,
        ),
    ):
        pass
    assert processes(models) == []


def test_container_image(models, triton_root, tmp_path, monkeypatch):
    """The command that runs the server of an image, without a real one."""
    import sysconfig

    programs = tmp_path / "bin"
    programs.mkdir()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    script = FAKE_APPTAINER.format(
        record=tmp_path / "arguments",
        bin=Path(sys.executable).parent,
        libraries=f"{triton_root}/nvidia_pytriton.libs:"
        f"{sysconfig.get_config_var('LIBDIR')}",
        root=triton_root,
        backends=triton_root / "backends" / version,
    )
    (programs / "apptainer").write_text(script)
    (programs / "apptainer").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    image = tmp_path / "triton.sif"
    image.touch()
    with serve(
        models, image=image, gpus="1", log_file=tmp_path / "log"
    ) as address:
        assert address.pid in processes(models)
    arguments = (tmp_path / "arguments").read_text().splitlines()
    bind = f"{models}:{models}:ro"
    assert arguments[:6] == [
        *("exec", "--bind", bind),
        *("--nv", str(image), "tritonserver"),
    ]
    assert processes(models) == []


def test_what_is_missing(models, tmp_path, monkeypatch):
    def fails(message, repository=models, **arguments):
        with (
            pytest.raises(UserError, match=message),
            serve(repository, log_file=tmp_path / "log", **arguments),
        ):
            pass

    fails("no model repository", tmp_path / "none", triton_root=tmp_path)
    fails("install it with: scripts/install-triton", triton_root=tmp_path)
    fails("no container image", image=tmp_path / "none.sif")
    fails("neither a container image nor")
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "there.sif").touch()
    fails("neither apptainer nor", image=tmp_path / "there.sif")
