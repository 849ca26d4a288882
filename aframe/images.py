"""Container images: what they are built from, and their builds."""

import hashlib
import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conventions.errors import UserError
from conventions.files import complete

from aframe import config, lifeline

ROOT = config.ROOT

INSTALLER = Path("scripts/install-image")
"""What the definitions of all projects run."""

_STEP = re.compile(r"(?:INFO:\s+(?!\s|To see )|aframe: )(.+)")
_EXTRAS = re.compile(r"^ +extras=(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Image:
    """What one image is built from and what says that it is up to date.

    Attributes:
        project: name of the folder under ``projects``.
        path: of the image.
        arguments: values for the definition's ``%arguments``.
        labels: that an image which is up to date has.
    """

    project: str
    path: Path
    arguments: dict[str, str]
    labels: dict[str, str]

    @property
    def definition(self) -> Path:
        """The Apptainer definition file, relative to the root."""
        return Path("projects", self.project, "apptainer.def")

    @property
    def log(self) -> Path:
        """Where the output of the build goes."""
        return self.path.with_suffix(".log")

    def is_current(self) -> bool:
        """Whether the image exists and was built from what there is now."""
        if not self.path.exists():
            return False
        found = read_labels(self.path)
        return all(
            found.get(f"org.aframe.{name}") == value
            for name, value in self.labels.items()
        )

    def step(self) -> str:
        """What its build does, as the log says."""
        text = self.log.read_text() if self.log.exists() else ""
        steps = [_STEP.match(line) for line in text.splitlines()]
        return next((s[1].rstrip(".") for s in reversed(steps) if s), "")


def projects_with_images() -> list[str]:
    """Names of the projects that have a definition file."""
    return sorted(
        path.parent.name for path in ROOT.glob("projects/*/apptainer.def")
    )


def checksum(paths: Iterable[Path]) -> str:
    """SHA-256 of files, their names included.

    Args:
        paths: files below the repository's root.

    Returns:
        The hexadecimal digest.
    """
    digest = hashlib.sha256()
    for path in sorted(paths):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(ROOT)} {content}\n".encode())
    return digest.hexdigest()


def lock_checksum(project: str) -> str:
    """SHA-256 of a project's lock, as ``sha256sum`` prints it.

    Args:
        project: name of the folder under ``projects``.
    """
    lock = ROOT / "projects" / project / "poetry.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def source_checksum(project: str) -> str:
    """SHA-256 of the code that goes into an image, and of its definition.

    Args:
        project: name of the folder under ``projects``.
    """
    folder = ROOT / "projects" / project
    packages = [ROOT / "aframe", *(ROOT / "libs").glob("*/"), folder]
    files = {
        path
        for top in packages
        for pattern in ("*.py", "*.cfg", "*.yaml", "*.sh")
        for path in top.rglob(pattern)
        if path.relative_to(top).parts[0] != "tests"
    }
    files |= {top / "pyproject.toml" for top in (ROOT, *packages[1:])}
    return checksum(files | {folder / "apptainer.def", ROOT / INSTALLER})


def read_labels(image: Path) -> dict[str, str]:
    """Labels of an image.

    Args:
        image: path of a ``.sif`` file.

    Returns:
        Label names and values.

    Raises:
        UserError: if Apptainer cannot read the image.
    """
    result = subprocess.run(
        ["apptainer", "inspect", "--json", "--labels", str(image)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise UserError(f"{image}: not an image: {result.stderr.strip()}")
    return json.loads(result.stdout)["data"]["attributes"]["labels"]


def plan(
    projects: Sequence[str],
    container_root: Path,
    base: str | None = None,
    extras: str | None = None,
) -> list[Image]:
    """Say what has to be built for the given projects.

    Args:
        projects: names of folders under ``projects``.
        container_root: where the images go.
        base: base image that replaces the definitions', or None.
        extras: of the projects, to install in place of those that the
            definitions name; separated by blanks.

    Returns:
        One :class:`Image` per project.

    Raises:
        UserError: if ``base`` names an image file that does not exist.
    """
    common = _base_arguments(base) | {"revision": _revision()}
    if extras is not None:
        common["extras"] = extras
    images = []
    for project in projects:
        source = source_checksum(project)
        definition = ROOT / "projects" / project / "apptainer.def"
        labels = {
            "lock": lock_checksum(project),
            "source": source,
            "extras": extras or _EXTRAS.search(definition.read_text())[1],
        }
        if base is not None:
            labels["base"] = common["base"]
        path = container_root.resolve() / f"{project}.sif"
        arguments = common | {"source": source}
        images.append(Image(project, path, arguments, labels))
    return images


def _base_arguments(base: str | None) -> dict[str, str]:
    if base is None:
        return {}
    if not base.endswith(".sif"):
        return {"base": base}
    if not Path(base).is_file():
        raise UserError(f"--base {base}: no such image")
    path = str(Path(base).resolve())
    return {"bootstrap": "localimage", "base": path}


def _revision() -> str:
    result = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or "unknown"


@contextmanager
def building(image: Image) -> Iterator[subprocess.Popen]:
    """Build an image: complete or not at all.

    The build ends with this process, however that ends, and with the
    context. What it writes goes to the image's log.

    Args:
        image: what to build.

    Yields:
        The process, to be waited for.

    Raises:
        UserError: if it failed; the message has the log's last lines.
    """
    image.path.parent.mkdir(parents=True, exist_ok=True)
    command = ["apptainer", "build", "--fakeroot"]
    for name, value in image.arguments.items():
        command += ["--build-arg", f"{name}={value}"]
    with (
        complete(image.path) as temporary,
        tempfile.TemporaryDirectory(
            prefix="aframe-build-",
            dir=config.build_directory(),
            ignore_cleanup_errors=True,
        ) as scratch,
        image.log.open("w") as log,
    ):
        # Apptainer does not tell the commands of a definition to end.
        tied = lifeline.tied(group=True)
        process = subprocess.Popen(
            [*tied, *command, str(temporary), image.definition],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=config.process_environment() | {"APPTAINER_TMPDIR": scratch},
        )
        try:
            yield process
        finally:
            process.terminate()
            code = process.wait()
        if code:
            tail = image.log.read_text().splitlines()[-15:]
            raise UserError(
                f"building {image.path} failed; the end of {image.log}:\n"
                + "\n".join(f"  {line}" for line in tail)
            )
