"""Ray: a cluster on this machine while a search runs, or one elsewhere."""

import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

import ray
from conventions.errors import UserError

STORE_BYTES = 100_000_000
"""Ray's shared memory: trials exchange nothing but a few numbers."""


@contextmanager
def cluster(endpoint: str | None) -> Iterator[None]:
    """Use a Ray cluster.

    Args:
        endpoint: ``host:port`` of the Ray Client server of a running one;
            None: one of this machine, which ends with the block.

    Raises:
        UserError: if nothing answers at the endpoint.
    """
    # Ray's sockets are below this directory, and a socket's path is at most
    # 107 characters long: too short for many a TMPDIR.
    with tempfile.TemporaryDirectory(
        prefix="ray-", dir="/tmp", ignore_cleanup_errors=True
    ) as scratch:
        before = signal.getsignal(signal.SIGTERM)
        try:
            if endpoint is None:
                ray.init(
                    address="local",
                    include_dashboard=False,
                    object_store_memory=STORE_BYTES,
                    _temp_dir=scratch,
                    logging_level="warning",
                )
            else:
                _connect(endpoint)
            signal.signal(signal.SIGTERM, _interrupt)
            yield
        finally:
            ray.shutdown()
            signal.signal(signal.SIGTERM, before)


def _connect(endpoint: str) -> None:
    try:
        ray.init(f"ray://{endpoint}", logging_level="warning")
    except (ConnectionError, ValueError) as error:
        raise UserError(
            f"tune.endpoint: no Ray cluster answers at {endpoint} ({error}); "
            "give host:port of its Ray Client server, by default 10001, and "
            "the cluster's token in RAY_AUTH_TOKEN if it has one"
        ) from error


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def require(resources: Mapping[str, float]) -> None:
    """Refuse trials for which no machine of the cluster is large enough.

    Args:
        resources: of one trial, by Ray's names.

    Raises:
        UserError: naming what a trial needs and what there is.
    """
    machines = [
        {key: node["Resources"].get(key, 0.0) for key in ("CPU", "GPU")}
        for node in ray.nodes()
        if node["Alive"]
    ]
    for machine in machines:
        if all(machine[key] >= value for key, value in resources.items()):
            return
    raise UserError(
        f"tune: a trial needs {_text(resources)} of one machine, and the "
        f"cluster has {'; '.join(map(_text, machines)) or 'none'}: lower "
        "tune.cpus_per_gpu, tune.gpus_per_worker or tune.num_workers"
    )


def _text(resources: Mapping[str, float]) -> str:
    return ", ".join(f"{value:g} {key}" for key, value in resources.items())
