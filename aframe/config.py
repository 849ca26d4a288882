"""Where settings come from: luigi's configuration and the environment.

Environment variables are read here and nowhere else, when asked for. Law
reads its configuration when it is imported, so that this module imports it
only where it is needed: a file can be checked before that.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import luigi
import storage
from conventions.errors import UserError
from storage import Location

from aframe import sections

ROOT = Path(__file__).resolve().parents[1]
"""The repository, where the law layer runs from a checkout."""

DIRECTORY_VARIABLES = {
    "train_background": "AFRAME_TRAIN_BACKGROUND_DIR",
    "train_waveforms": "AFRAME_TRAIN_WAVEFORMS_DIR",
    "test_background": "AFRAME_TEST_BACKGROUND_DIR",
    "test_waveforms": "AFRAME_TEST_WAVEFORMS_DIR",
    "train_rundir": "AFRAME_TRAIN_RUN_DIR",
    "results_dir": "AFRAME_RESULTS_DIR",
    "condor_dir": "AFRAME_CONDOR_DIR",
    "tmp_dir": "AFRAME_TMPDIR",
}
"""Parameters of :class:`paths` and the variables that give their default."""

VARIABLES = (
    *DIRECTORY_VARIABLES.values(),
    "AFRAME_CONTAINER_ERROR",
    "AFRAME_CONTAINER_ROOT",
    "AFRAME_SANDBOX",
    "AFRAME_TRITON_ROOT",
    "AFRAME_REAL_DATA",
    "AFRAME_REQUIRE",
    "AFRAME_RUN",
    "AFRAME_TEST_BASE_IMAGE",
    "AFRAME_TEST_S3_ENDPOINT",
)
"""Environment variables that mean something to aframe."""

LOCAL_DIRECTORIES = ("condor_dir", "tmp_dir")
"""Parameters of :class:`paths` that are never in a store."""

S3_ENDPOINT = "AWS_ENDPOINT_URL_S3"
"""The standard variable that goes before all others."""

SANDBOXES = ("local", "apptainer")

GPU_DRIVER = Path("/dev/nvidiactl")
"""There where the driver of NVIDIA's GPUs is loaded."""

_RUN = uuid4().hex

_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


class paths(luigi.Config):  # noqa: N801 (the name of the config section)
    """Directories of a run; each defaults to an environment variable."""

    train_background = luigi.Parameter(
        default="", description="segments and strain for training"
    )
    train_waveforms = luigi.Parameter(
        default="", description="signals for training and validation"
    )
    test_background = luigi.Parameter(
        default="", description="segments and strain for the search"
    )
    test_waveforms = luigi.Parameter(
        default="", description="injections for the search"
    )
    train_rundir = luigi.Parameter(
        default="", description="outputs of the training"
    )
    results_dir = luigi.Parameter(
        default="", description="model repository, events and plots"
    )
    condor_dir = luigi.Parameter(
        default="", description="files of batch systems"
    )
    tmp_dir = luigi.Parameter(default="", description="scratch space")

    def directory(self, name: str) -> Location:
        """One of the directories.

        Args:
            name: a parameter of this section.

        Returns:
            The absolute path, or where in a store it is. Where neither the
            section nor the environment gives one, a path that begins with
            the variable's name, by which tasks can be listed and which
            :func:`require_set` refuses.

        Raises:
            UserError: naming the variable or parameter, for a URL that is
                not of S3, or one where only this machine will do.
        """
        variable = DIRECTORY_VARIABLES[name]
        given = getattr(self, name)
        try:
            place = (
                beside_config(given)
                if given
                else absolute(os.environ.get(variable) or f"${variable}")
            )
        except UserError as error:
            raise UserError(
                f"{name if given else variable}: {error}"
            ) from None
        if name in LOCAL_DIRECTORIES:
            return require_local(place, name if given else variable)
        return place


def require_local(place: Location, name: str) -> Path:
    """Refuse a place in a store where only this machine will do.

    Args:
        place: what is given.
        name: of the parameter or variable that gives it.

    Raises:
        UserError: naming both.
    """
    if storage.is_remote(place):
        raise UserError(
            f"{name}: {place} is not on this machine, where programs work "
            "with its files"
        )
    return place


def absolute(value: str | Location, base: Path | None = None) -> Location:
    """Make a path absolute, unless it begins with an unset variable.

    Args:
        value: a path or a URL of S3; ``~`` and variables that are set are
            replaced.
        base: what a relative path counts from, default the working
            directory.

    Raises:
        UserError: for a URL that is not of S3.
    """
    expanded = _VARIABLE.sub(_value_or_name, str(value))
    if "://" in expanded:
        return storage.location(expanded, sections.s3().endpoint_url or None)
    path = Path(expanded).expanduser()
    return path if str(path).startswith("$") else (base or Path.cwd()) / path


def scratch_directory() -> Path:
    """Where copies of remote files and files on their way there are.

    Raises:
        UserError: if it is not known.
    """
    return require_set(paths().directory("tmp_dir"))


def beside_config(value: str | Location) -> Location:
    """Make a path that the configuration gives absolute.

    Args:
        value: a path or a URL of S3; a relative path counts from the
            directory of the configuration file, wherever aframe is started.
    """
    file = config_file()
    return absolute(value, file and file.parent)


def _value_or_name(match: re.Match[str]) -> str:
    """An empty variable counts as unset."""
    return os.environ.get(match[1]) or match[0]


def unset_variable(path: str | Location) -> str | None:
    """Name of the unset environment variable in a path, None without."""
    match = _VARIABLE.search(str(path))
    return match[1] if match else None


def require_set(path: Location) -> Location:
    """Refuse a path whose environment variable is not set.

    Raises:
        UserError: naming the variable.
    """
    variable = unset_variable(path)
    if variable is not None:
        hint = (
            " (the run.sh that aframe-init writes does so)"
            if variable in DIRECTORY_VARIABLES.values()
            else ""
        )
        raise UserError(
            f"{variable} is not set: set it to a directory{hint}; it is "
            f"needed for {path}"
        )
    return path


def directory(variable: str) -> Path:
    """The directory of this machine that an environment variable names.

    Args:
        variable: name of the variable.

    Raises:
        UserError: naming the variable, if it is unset or names a store.
    """
    value = os.environ.get(variable)
    place = require_set(absolute(value or f"${variable}"))
    return require_local(place, variable)


def sandbox() -> str:
    """The setting ``sandbox`` of tasks that do not have their own.

    Returns:
        ``AFRAME_SANDBOX`` where set, otherwise ``sandbox`` of
        ``[luigi_base]``, otherwise ``local``.
    """
    configured = luigi.configuration.get_config().get("base", "sandbox", "")
    return os.environ.get("AFRAME_SANDBOX") or configured or "local"


def container_root() -> Path:
    """Directory of the container images.

    Returns:
        ``container_root`` of ``[luigi_base]``, otherwise
        ``AFRAME_CONTAINER_ROOT``.

    Raises:
        UserError: if neither is set.
    """
    configured = luigi.configuration.get_config().get(
        "base", "container_root", ""
    )
    if configured:
        place = require_set(beside_config(configured))
        return require_local(place, "container_root")
    return directory("AFRAME_CONTAINER_ROOT")


def require_image(image: Path) -> None:
    """Refuse a container image that is not there.

    Raises:
        UserError: naming the path, and the command that builds it or what
            to do where none does.
    """
    if image.is_file():
        return
    if (ROOT / "projects" / image.stem / "apptainer.def").is_file():
        raise UserError(
            f"no container image {image}: build it with\n"
            f"  build-containers {image.stem} --container-root {image.parent}"
        )
    raise UserError(
        f"no container image {image}: give one that is there, or run the "
        "task with sandbox = local"
    )


def build_directory() -> Path:
    """Where container images are put together, which takes much space.

    Returns:
        ``APPTAINER_TMPDIR``, otherwise the system's temporary directory.
    """
    given = os.environ.get("APPTAINER_TMPDIR")
    return absolute(given or tempfile.gettempdir())


def triton_root() -> Path:
    """Where ``scripts/install-triton`` put the server.

    Returns:
        ``AFRAME_TRITON_ROOT``, otherwise ``.triton`` in the repository.
    """
    value = os.environ.get("AFRAME_TRITON_ROOT")
    if not value:
        return ROOT / ".triton"
    return require_local(absolute(value), "AFRAME_TRITON_ROOT")


def config_file() -> Path | None:
    """The configuration file that law has read, None without."""
    import law

    name = law.config.Config.instance().config_file
    return Path(name) if name else None


def named_config_file() -> Path | None:
    """The configuration file that ``LAW_CONFIG_FILE`` names.

    Returns:
        Its absolute path, None if the variable is not set.

    Raises:
        UserError: if there is no such file. Law would go on with another
            file, and so with another search.
    """
    name = os.environ.get("LAW_CONFIG_FILE")
    if not name:
        return None
    file = Path.cwd() / expand(name)
    if not file.is_file():
        raise UserError(
            f"LAW_CONFIG_FILE: there is no {name}; set it to a configuration "
            "file"
        )
    return file


def expand(text: str) -> str:
    """Replace ``~`` and variables that are set, as law does."""
    return os.path.expandvars(Path(text).expanduser())


def error_file() -> Path | None:
    """Where a task in a container leaves its user's mistake.

    Returns:
        ``AFRAME_CONTAINER_ERROR``, which the sandbox sets; None elsewhere.
    """
    value = os.environ.get("AFRAME_CONTAINER_ERROR")
    return Path(value) if value else None


def process_environment() -> dict[str, str]:
    """The environment of this process, and of those that it starts.

    Where ``[luigi_s3]`` gives an endpoint, it is that of the environment.
    """
    endpoint = sections.s3().endpoint_url
    return os.environ | ({S3_ENDPOINT: endpoint} if endpoint else {})


def shows_gpus() -> bool:
    """Whether CUDA finds a GPU on this machine."""
    there = GPU_DRIVER.exists()
    return there and os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1")


@contextmanager
def only_gpu(name: str) -> Iterator[None]:
    """Let CUDA find one GPU alone, if it starts within the block.

    Args:
        name: id of the GPU.
    """
    variable = "CUDA_VISIBLE_DEVICES"
    before = os.environ.get(variable)
    os.environ[variable] = name
    try:
        yield
    finally:
        del os.environ[variable]
        if before is not None:
            os.environ[variable] = before


def run_id() -> str:
    """What tells this run of law from all others.

    It is the same in the processes that are forked from this one and in
    their containers, and another one in each job of a batch system.
    """
    return os.environ.get("AFRAME_RUN") or _RUN
