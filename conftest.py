"""What all tests share: how a test says what it needs."""

import fcntl
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    import s3fs
    import storage

ROOT = Path(__file__).parent
TOOLS = ROOT.parent / "shared" / "tools"
S3_ENDPOINT = "http://127.0.0.1:9100"
"""Where the tools' object store answers."""


def pytest_configure() -> None:
    """Let processes that tests start be interrupted.

    A shell lets what it runs in the background ignore Ctrl-C, and children
    inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def need() -> Callable[[str, bool, str], None]:
    """Function that skips a test for want of something.

    ``need(name, there, reason)`` skips with the reason unless ``there``;
    where the environment variable ``AFRAME_REQUIRE`` lists the name, it
    fails instead.
    """

    def check(name: str, there: bool, reason: str) -> None:
        if there:
            return
        if name in os.environ.get("AFRAME_REQUIRE", "").split(","):
            pytest.fail(f"AFRAME_REQUIRE names {name}, but {reason}")
        pytest.skip(reason)

    return check


@pytest.fixture(scope="session")
def real_data(need: Callable[[str, bool, str], None]) -> Path:
    """Folder of real strain and PSDs."""
    default = ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("AFRAME_REAL_DATA") or default)
    reason = f"there is no {folder}: AFRAME_REAL_DATA names real data"
    need("data", folder.is_dir(), reason)
    return folder


@dataclass(frozen=True)
class ObjectStore:
    """A real object store.

    Attributes:
        endpoint: its URL.
        environment: what a process needs to use it, and to see nothing of
            the credentials of whoever runs the tests.
    """

    endpoint: str
    environment: dict[str, str]


def _answers(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(endpoint, timeout=5)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def s3(
    need: Callable[[str, bool, str], None],
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
) -> Iterator[ObjectStore]:
    """An object store, started unless one is running.

    ``AFRAME_TEST_S3_ENDPOINT`` names another one, whose credentials are
    those of the standard AWS environment.
    """
    given = os.environ.get("AFRAME_TEST_S3_ENDPOINT")
    endpoint = given or S3_ENDPOINT
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    values = [os.environ.get(name, "") for name in names]
    credentials = dict(
        zip(names, values if given else ("test", "testtest"), strict=True)
    )
    root = tmp_path_factory.getbasetemp()
    root = root if worker_id == "master" else root.parent
    started = root / "s3-started"
    with (root / "s3.lock").open("w") as lock:
        # Shared by all processes of this session that use it.
        fcntl.flock(lock, fcntl.LOCK_SH)
        with (root / "s3-start.lock").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            if not _answers(endpoint) and (TOOLS / "start-s3").is_file():
                subprocess.run([TOOLS / "start-s3"], check=True)
                started.touch()
        need("s3", _answers(endpoint), f"no object store at {endpoint}")
        nowhere = str(root / "no-credentials")
        yield ObjectStore(
            endpoint,
            credentials
            | {
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_SHARED_CREDENTIALS_FILE": nowhere,
                "AWS_CONFIG_FILE": nowhere,
                "AWS_EC2_METADATA_DISABLED": "true",
            },
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another process of this session uses it
        if started.exists():
            subprocess.run([TOOLS / "stop-s3"], check=True)
            started.unlink()


@pytest.fixture(scope="session")
def s3_administration(s3: ObjectStore) -> "s3fs.S3FileSystem":
    """A connection that no test takes the credentials from."""
    import s3fs

    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    key, secret = (s3.environment[name] for name in names)
    return s3fs.S3FileSystem(
        endpoint_url=s3.endpoint,
        key=key,
        secret=secret,
        use_listings_cache=False,
        client_kwargs={"region_name": s3.environment["AWS_DEFAULT_REGION"]},
    )


@pytest.fixture
def s3_bucket(
    s3: ObjectStore,
    s3_administration: "s3fs.S3FileSystem",
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator["storage.Location"]:
    """A new, empty bucket, which this process has credentials for."""
    import storage

    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    name = f"aframe-{uuid4().hex}"
    s3_administration.call_s3("create_bucket", Bucket=name)
    yield storage.location(f"s3://{name}")
    s3_administration.rm(name, recursive=True)
