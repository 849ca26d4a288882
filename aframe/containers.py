"""``build-containers``: one Apptainer image per project."""

import argparse
import hashlib
import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from conventions.errors import UserError, exit_on_user_error
from conventions.files import complete

from aframe import config

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Build:
    """What one image is built from and what says that it is up to date.

    Attributes:
        project: name of the folder under ``projects``.
        image: the image's path.
        arguments: values for the definition file's ``%arguments``.
    """

    project: str
    image: Path
    arguments: dict[str, str]

    @property
    def definition(self) -> Path:
        """The Apptainer definition file, relative to the root."""
        return Path("projects", self.project, "apptainer.def")

    @property
    def log(self) -> Path:
        """Where the output of the build goes."""
        return self.image.with_suffix(".log")

    def is_current(self) -> bool:
        """Whether the image exists and was built from lock, code and base."""
        if not self.image.exists():
            return False
        labels = read_labels(self.image)
        return all(
            labels.get(f"org.aframe.{name}") == self.arguments[name]
            for name in ("lock", "source", "base", "extras")
            if name in self.arguments
        )


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
    """SHA-256 of a project's lock.

    Args:
        project: name of the folder under ``projects``.
    """
    return checksum([ROOT / "projects" / project / "poetry.lock"])


def source_checksum(project: str) -> str:
    """SHA-256 of the code that goes into an image, and of its definition.

    Args:
        project: name of the folder under ``projects``.
    """
    folder = ROOT / "projects" / project
    packages = [ROOT / "aframe", *(ROOT / "libs").glob("*"), folder]
    files = [path for top in packages for path in top.rglob("*.py")]
    files += [top / "pyproject.toml" for top in (ROOT, *packages[1:])]
    return checksum([*files, folder / "apptainer.def"])


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


def build(item: Build) -> None:
    """Build one image, complete or not at all.

    Args:
        item: what to build. Its output goes to ``item.log``.

    Raises:
        UserError: if the build fails; the message ends with the log's
            last lines and the command that tries again.
    """
    item.image.parent.mkdir(parents=True, exist_ok=True)
    command = ["apptainer", "build", "--fakeroot"]
    for name, value in item.arguments.items():
        command += ["--build-arg", f"{name}={value}"]
    with complete(item.image) as temporary:
        with item.log.open("w") as log:
            result = subprocess.run(
                [*command, str(temporary), str(item.definition)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if result.returncode:
            raise _failed(item)


def _failed(item: Build) -> UserError:
    tail = item.log.read_text().splitlines()[-15:]
    return UserError(
        f"building {item.image} failed; the end of {item.log}:\n"
        + "\n".join(f"  {line}" for line in tail)
        + f"\ntry again with: build-containers {item.project}"
        f" --container-root {item.image.parent}"
    )


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    available = projects_with_images()
    parser = argparse.ArgumentParser(
        prog="build-containers", description=__doc__
    )
    parser.add_argument(
        "projects",
        nargs="*",
        metavar="PROJECT",
        help=f"what to build; default: all of {', '.join(available)}",
    )
    parser.add_argument(
        "--container-root",
        type=Path,
        help="where the images go; default: $AFRAME_CONTAINER_ROOT",
    )
    parser.add_argument(
        "--base",
        help="base image in place of the definition's; a path to a .sif "
        "or a name in a registry",
    )
    parser.add_argument(
        "--extras",
        help="extras of the project to install too, such as torch for "
        "infer's engine = direct",
    )
    parser.add_argument(
        "--max-workers",
        type=int,
        default=1,
        help="images built at the same time (default: %(default)s)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="build also what is up to date",
    )
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.projects) - set(available))
    if unknown:
        raise UserError(
            f"no definition of an image for {', '.join(unknown)};"
            f" there is one for {', '.join(available)}"
        )
    arguments.projects = arguments.projects or available
    if arguments.container_root is None:
        arguments.container_root = config.directory("AFRAME_CONTAINER_ROOT")
    return arguments


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


def plan(
    projects: Sequence[str],
    container_root: Path,
    base: str | None,
    extras: str | None = None,
) -> list[Build]:
    """Say what has to be built for the given projects.

    Args:
        projects: names of folders under ``projects``.
        container_root: where the images go.
        base: base image that replaces the definitions', or None.
        extras: of the projects, to install too; separated by blanks.

    Returns:
        One :class:`Build` per project.

    Raises:
        UserError: if ``base`` names an image file that does not exist.
    """
    common = _base_arguments(base) | {"extras": extras or "none"}
    revision = _revision()
    builds = []
    for project in projects:
        pyproject = ROOT / "projects" / project / "pyproject.toml"
        version = tomllib.loads(pyproject.read_text())["project"]["version"]
        builds.append(
            Build(
                project=project,
                image=container_root.resolve() / f"{project}.sif",
                arguments={
                    "version": version,
                    "revision": revision,
                    "lock": lock_checksum(project),
                    "source": source_checksum(project),
                    **common,
                },
            )
        )
    return builds


@exit_on_user_error()
def main(argv: Sequence[str] | None = None) -> None:
    """Run ``build-containers``."""
    arguments = _parse(argv)
    builds = plan(
        arguments.projects,
        arguments.container_root,
        arguments.base,
        arguments.extras,
    )
    todo = [b for b in builds if arguments.force or not b.is_current()]
    for item in builds:
        if item not in todo:
            sys.stdout.write(f"{item.image} is up to date\n")
    failures = []
    began = time.monotonic()
    with ThreadPoolExecutor(arguments.max_workers) as pool:
        running = {}
        for item in todo:
            sys.stdout.write(f"building {item.image}, log {item.log}\n")
            sys.stdout.flush()
            running[pool.submit(build, item)] = item
        for future in as_completed(running):
            item = running[future]
            try:
                future.result()
            except UserError as error:
                failures.append(str(error))
                continue
            megabytes = item.image.stat().st_size / 1e6
            seconds = time.monotonic() - began
            sys.stdout.write(
                f"built {item.image}, {megabytes:.0f} MB, {seconds:.0f} s\n"
            )
    if failures:
        raise UserError("\n".join(failures))
