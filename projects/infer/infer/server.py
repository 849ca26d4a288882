"""The life of a Triton server, as a context."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tritonclient.grpc as triton
from conventions.errors import UserError
from conventions.progress import Progress, silent

from infer import supervisor

POLL_SECONDS = 0.2
STOP_SECONDS = supervisor.GRACE_SECONDS + 10
SHARED_MEMORY_BYTES = 64 * 1024**2
LOG_LINES = 12
ERRORS = ("E", "error:", "supervisor:")
# Error lines of every server that runs without a GPU.
HARMLESS = ("CudaDriverHelper", "CUDA driver version is insufficient")


@dataclass(frozen=True)
class ServerAddress:
    """Where a server listens.

    Attributes:
        grpc: host and port of gRPC, such as ``"127.0.0.1:8001"``.
        http: host and port of HTTP, None when HTTP was not asked for.
        pid: process id of the supervisor that owns the server.
    """

    grpc: str
    http: str | None
    pid: int

    def __str__(self) -> str:
        return self.grpc


def choose_port(host: str, port: int | None, name: str) -> int:
    """Check that a port is free, or find one.

    Args:
        host: the address to listen on.
        port: the port asked for; None takes any that is free.
        name: what the port is called in an error.

    Returns:
        A port that was free a moment ago.

    Raises:
        UserError: naming the port that is in use or is none, or the host
            that is not an address of this machine.
    """
    if port is not None and not 0 < port < 65536:
        raise UserError(f"{name}: {port} is not a port: 1 to 65535 are")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port or 0))
        except OSError as error:
            raise UserError(
                f"{name}: cannot listen on {host}:{port or 'any port'}: "
                f"{error.strerror}; name a free port, or none to have one "
                "chosen"
            ) from None
        return int(probe.getsockname()[1])


def _python_library_path() -> str:
    return str(sysconfig.get_config_var("LIBDIR") or "")


def _binary(root: Path) -> tuple[list[str], dict[str, str]]:
    """Command and environment of the server that pip installed."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    server = root / "pytriton" / "tritonserver" / "bin" / "tritonserver"
    backends = root / "backends" / version
    for path in (server, backends):
        if not path.exists():
            raise UserError(
                f"no Triton server for Python {version} in {root}: {path} is "
                f"missing; install it with: scripts/install-triton {root}"
            )
    libraries = [
        str(root / "nvidia_pytriton.libs"),
        _python_library_path(),
        os.environ.get("LD_LIBRARY_PATH", ""),
    ]
    # The backend takes the packages of the python3 that is first on PATH.
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    environment = {
        "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
        "PATH": ":".join(filter(None, programs)),
    }
    return [str(server), "--backend-directory", str(backends)], environment


def _container(image: Path, repository: Path, gpus: str) -> list[str]:
    """Command that runs the server of a container image."""
    if not image.exists():
        raise UserError(f"there is no container image {image}")
    runtime = shutil.which("apptainer") or shutil.which("singularity")
    if runtime is None:
        raise UserError(
            f"neither apptainer nor singularity is on PATH to run {image}"
        )
    command = [runtime, "exec", "--bind", f"{repository}:{repository}:ro"]
    if gpus:
        command.append("--nv")
    return [*command, str(image), "tritonserver"]


def _options(
    repository: Path, host: str, grpc: int, http: int | None, prefix: str
) -> list[str]:
    python = "--backend-config=python"
    options = [
        f"--model-repository={repository}",
        f"--grpc-address={host}",
        f"--grpc-port={grpc}",
        "--allow-metrics=false",
        "--exit-timeout-secs=5",
        f"{python},shm-region-prefix-name={prefix}",
        f"{python},shm-default-byte-size={SHARED_MEMORY_BYTES}",
        f"{python},shm-growth-byte-size={SHARED_MEMORY_BYTES}",
    ]
    if http is None:
        return [*options, "--allow-http=false"]
    return [*options, f"--http-address={host}", f"--http-port={http}"]


def errors_in(log_file: Path) -> str:
    """The lines of a server's log that say what went wrong.

    Args:
        log_file: the server's log.

    Returns:
        Its last error lines; without any, its last lines.
    """
    if not log_file.is_file():
        return f"  there is no log {log_file}: can it be written?"
    lines = log_file.read_text(errors="replace").splitlines()
    errors = [
        line
        for line in lines
        if (line.startswith(ERRORS) or " ERROR " in line)
        and not any(phrase in line for phrase in HARMLESS)
    ]
    return "\n".join(dict.fromkeys((errors or lines)[-LOG_LINES:]))


def _wait(
    process: subprocess.Popen[bytes],
    address: str,
    repository: Path,
    log_file: Path,
    timeout: float,
    progress: Progress,
) -> None:
    """Return when the server is ready; raise when it never will be."""
    client = triton.InferenceServerClient(address)
    deadline = time.monotonic() + timeout
    attempts = iter(lambda: time.monotonic() < deadline, False)
    try:
        for _ in progress(attempts, description=f"starting {address}"):
            if process.poll() is not None:
                raise UserError(
                    f"the server could not serve {repository}; its log "
                    f"{log_file} says:\n{errors_in(log_file)}"
                )
            try:
                if client.is_server_ready(client_timeout=1.0):
                    return
            except triton.InferenceServerException:
                pass
            time.sleep(POLL_SECONDS)
    finally:
        client.close()
    raise UserError(
        f"the server at {address} was not ready within {timeout:g} s; its "
        f"log {log_file} ends with:\n{errors_in(log_file)}"
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        # The server itself dies with its supervisor.
        process.kill()
        process.wait()


@contextmanager
def serve(
    repository: Path,
    *,
    log_file: Path,
    image: Path | None = None,
    triton_root: Path | None = None,
    gpus: str = "",
    grpc_port: int | None = None,
    http_port: int | None = None,
    host: str = "127.0.0.1",
    timeout: float = 300.0,
    restarts: int = 3,
    progress: Progress = silent,
) -> Iterator[ServerAddress]:
    """Run a Triton server for the length of a with block.

    The server and whatever it starts end with the block: normally, by an
    exception, by a signal, or because this process was killed. A supervisor
    process in a session of its own sees to that, so that the keyboard's
    Ctrl-C ends the block and not the server under a running request. Once
    the server has been ready, the supervisor starts it again, at the same
    address, when it or a process of one of its models is killed: by a crash,
    or for want of memory.

    Args:
        repository: the model repository.
        log_file: where the server's output goes; written anew.
        image: a container image that holds ``tritonserver``.
        triton_root: where ``scripts/install-triton`` put the server; used
            when no image is given.
        gpus: comma-separated ids of the GPUs to use; empty for none.
        grpc_port: port of gRPC; None chooses a free one.
        http_port: port of HTTP; None serves gRPC alone.
        host: the address to listen on.
        timeout: seconds until all models have to be ready.
        restarts: times in a row that a killed server is started again; one
            that has lived for ten minutes makes them all available anew.
        progress: shows the wait.

    Yields:
        The address, once every model of the repository is ready.

    Raises:
        UserError: a repository, image or server that is not there, a port
            in use, a repository that the server rejects (with the lines of
            its log) or that is not ready in time.
    """
    repository, log_file = repository.resolve(), log_file.resolve()
    if not repository.is_dir():
        raise UserError(f"there is no model repository {repository}")
    if " " in str(repository):
        raise UserError(
            f"the model repository {repository} has a space in its path, "
            "with which Triton's Python backend cannot start a model"
        )
    environment: dict[str, str] = {}
    if image is not None:
        command = _container(image, repository, gpus)
    elif triton_root is not None:
        command, environment = _binary(triton_root.resolve())
    else:
        raise UserError("neither a container image nor a triton_root given")
    grpc = choose_port(host, grpc_port, "grpc_port")
    http = None
    if http_port is not None:
        http = choose_port(host, http_port, "http_port")
    prefix = f"aframe-{os.getpid()}-{secrets.token_hex(4)}"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [
            *(sys.executable, "-I", supervisor.__file__),
            *(str(os.getpid()), prefix, str(log_file), str(restarts)),
            *command,
            *_options(repository, host, grpc, http, prefix),
        ],
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment, "CUDA_VISIBLE_DEVICES": gpus},
        start_new_session=True,
    )
    address = ServerAddress(
        f"{host}:{grpc}", http and f"{host}:{http}", process.pid
    )
    try:
        _wait(process, address.grpc, repository, log_file, timeout, progress)
        process.send_signal(supervisor.READY)
        yield address
    finally:
        _stop(process)
        supervisor.remove_shared_memory(prefix)
