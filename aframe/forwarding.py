"""What a container is given of this machine: variables, files, directories.

The environment of a container is clean: what is named here goes in, and
what ``[luigi_containers]`` names. docs/containers.md lists it for users.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aframe import config, job_environment, sections
from aframe.validation import ConfigFile

PREFIXES = ("AFRAME_", "AWS_")
"""All variables that begin so go in."""

VARIABLES = (
    *("TMPDIR", "CUDA_VISIBLE_DEVICES"),
    *("OMP_NUM_THREADS", "OMP_WAIT_POLICY"),
    *("http_proxy", "https_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_MODE"),
    *("WANDB_ENTITY", "WANDB_PROJECT"),
    *("BEARER_TOKEN", "SCITOKEN"),
    *("GWDATAFIND_SERVER", "LIGO_DATAFIND_SERVER", "DEFAULT_SEGMENT_SERVER"),
)
"""Other variables that go in, where they are set."""

CREDENTIALS = {
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "",
    "AWS_CA_BUNDLE": "",
    "SSL_CERT_FILE": "",
    "REQUESTS_CA_BUNDLE": "",
    "NETRC": "~/.netrc",
    "X509_USER_PROXY": "/tmp/x509up_u{user}",
    "X509_USER_CERT": "",
    "X509_USER_KEY": "",
    "X509_CERT_DIR": "",
    "KRB5CCNAME": "",
    "KRB5_KTNAME": "",
    "BEARER_TOKEN_FILE": "{runtime}/bt_u{user}",
    "SCITOKEN_FILE": "",
    "_CONDOR_CREDS": "",
}
"""Variables that name a file (or directory) of credentials, and where their
programs look where the variable is not set."""

RENEWED = (
    *("X509_USER_PROXY", "KRB5CCNAME", "BEARER_TOKEN_FILE", "SCITOKEN_FILE"),
    *("AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
)
"""Files that are replaced by new ones while a task runs. A container sees
that only in their directory."""

SITE_DIRECTORIES = (
    *("/cvmfs", "/archive", "/hdfs", "/ceph", "/osdf", "/frames"),
    *("/ifocache", "/scratch", "/etc/grid-security"),
)
"""Places of shared software and data at observatories' clusters."""

IMAGE_PLACES = (
    *("/opt/aframe", "/usr", "/bin", "/lib", "/lib64", "/sbin", "/etc"),
    *("/dev", "/proc", "/sys"),
)
"""What an image must not lose behind a directory of the host."""

_KIND = re.compile("((?:FILE:|DIR:)?)(.*)")


@dataclass(frozen=True, order=True)
class Mount:
    """A file or directory that a container sees under its own path.

    Attributes:
        path: on both sides.
        read_only: whether the container cannot write there.
    """

    path: Path
    read_only: bool = False

    @property
    def is_possible(self) -> bool:
        """Whether it is there, and hides nothing of the image."""
        return self.path.exists() and not any(
            Path(place).is_relative_to(self.path) for place in IMAGE_PLACES
        )


def environment() -> dict[str, str]:
    """What a container sees of this process's environment.

    Returns:
        The variables of :data:`PREFIXES`, :data:`VARIABLES`,
        :data:`CREDENTIALS` and of ``environment`` of ``[luigi_containers]``
        that are set, paths made absolute; those of default files of
        credentials that are there; ``TMPDIR``, ``LAW_CONFIG_FILE`` and
        which run it belongs to.
    """
    here = config.process_environment()
    names = {*VARIABLES, *CREDENTIALS, *sections.containers().environment}
    given = {
        name: value
        for name, value in here.items()
        if name in names or name.startswith(PREFIXES)
    }
    for name, (kind, path) in _credentials().items():
        given[name] = f"{kind}{path}"
    given |= job_environment.settings()
    given.pop("LAW_HOME", None)
    return given | {
        "AFRAME_RUN": config.run_id(),
        "TMPDIR": str(scratch_directory()),
    }


def scratch_directory() -> Path:
    """Where a container's temporary files go.

    Returns:
        ``TMPDIR``, otherwise ``AFRAME_TMPDIR``, otherwise the system's.
    """
    given = config.process_environment().get("TMPDIR")
    path = config.absolute(given or config.paths().directory("tmp_dir"))
    return Path("/tmp") if config.unset_variable(path) else path


def mounts(directories: Iterable[Path]) -> list[Mount]:
    """What a container sees of the host's files.

    Args:
        directories: that a task needs, beside those of the run.

    Returns:
        Files and directories that are there, outer ones before inner ones:
        the run's and the given directories, the working directory, those of
        :data:`SITE_DIRECTORIES` and of ``directories`` of
        ``[luigi_containers]``, and, read-only, credentials.
    """
    wanted = [Path("/tmp"), scratch_directory(), Path.cwd()]
    wanted += map(Path, SITE_DIRECTORIES)
    wanted += map(config.absolute, sections.containers().directories)
    wanted += [*_run_directories(), *directories]
    found = {Mount(path) for path in wanted}
    for name, (_, file) in _credentials().items():
        renewed = Mount(file.parent, read_only=True)
        whole = (
            name in RENEWED
            and renewed.is_possible
            and file.parent != Path.home()
        )
        mount = renewed if whole else Mount(file, read_only=True)
        if mount.path not in wanted:
            found.add(mount)
    return sorted(mount for mount in found if mount.is_possible)


def nearest_directory(path: Path) -> Path:
    """The path, if it is a directory, or the first above it that is."""
    return next(place for place in (path, *path.parents) if place.is_dir())


def is_local(path: str | Path) -> bool:
    """Whether a path is one of this machine, and known."""
    return str(path).startswith("/")


def _run_directories() -> list[Path]:
    """Those of the configuration's files and of ``AFRAME_*`` paths."""
    places = [
        config.paths().directory(name) for name in config.DIRECTORY_VARIABLES
    ]
    places += [
        Path(value)
        for name, value in config.process_environment().items()
        if name.startswith("AFRAME_") and is_local(value)
    ]
    file = config.config_file()
    if file is not None:
        inherited = ConfigFile.read(file.absolute()).origins.values()
        places += [file.absolute(), *inherited]
    return [nearest_directory(path) for path in places if is_local(path)]


def _credentials() -> dict[str, tuple[str, Path]]:
    """Kind (empty, or ``FILE:`` or ``DIR:``) and path of what is there."""
    here = config.process_environment()
    runtime = here.get("XDG_RUNTIME_DIR") or "/tmp"
    found = {}
    for name, default in CREDENTIALS.items():
        value = here.get(name) or default.format(
            user=os.getuid(), runtime=runtime
        )
        kind, path = _KIND.fullmatch(value).groups()
        file = Path(os.path.normpath(Path.cwd() / Path(path).expanduser()))
        if path and file.exists():
            found[name] = (kind, file)
    return found
