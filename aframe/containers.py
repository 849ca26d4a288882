"""``build-containers``: one Apptainer image per project."""

import argparse
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

from conventions.errors import UserError, exit_on_user_error

from aframe import config, images, interrupts
from aframe.images import Image

POLL_SECONDS = 0.5
SAY_SECONDS = 30.0
"""A build whose step does not change is mentioned that often."""


@dataclass
class Build:
    """The build of one image, under way or at its end.

    Attributes:
        image: that is built.
        process: that builds it.
        stack: keeps what the build needs until it is closed.
        began: monotonic clock, s.
        step: what was last said of it.
        said: when, monotonic clock, s.
        outcome: empty while it is under way.
        seconds: that it took, at its end.
    """

    image: Image
    process: Popen | None = None
    stack: ExitStack = field(default_factory=ExitStack)
    began: float = field(default_factory=time.monotonic)
    step: str = ""
    said: float = 0.0
    outcome: str = ""
    seconds: float = 0.0

    def start(self) -> None:
        """Begin."""
        self.process = self.stack.enter_context(images.building(self.image))

    def look(self) -> None:
        """Say what it does, now and then, and note its end."""
        now = time.monotonic()
        self.seconds = now - self.began
        if self.process.poll() is not None:
            try:
                self.stack.close()
                self.outcome = "built"
            except UserError as error:
                self.outcome = "failed"
                sys.stderr.write(f"{error}\n")
            self.say(self.outcome)
            return
        step = self.image.step()
        if step != self.step or now - self.said > SAY_SECONDS:
            self.step, self.said = step, now
            self.say(step)

    def say(self, what: str) -> None:
        """Write a line about it."""
        name = self.image.project
        sys.stdout.write(f"{name:8} {self.seconds:5.0f} s  {what}\n")
        sys.stdout.flush()


def build(todo: Sequence[Image], max_workers: int) -> list[Build]:
    """Build images, several at the same time.

    Args:
        todo: what to build.
        max_workers: how many at once.

    Returns:
        How each build ended, in the same order.
    """
    waiting, builds = list(todo), []
    with ExitStack() as stack:
        while waiting or not all(item.outcome for item in builds):
            running = [item for item in builds if not item.outcome]
            if waiting and len(running) < max_workers:
                item = Build(waiting.pop(0))
                # Ends the build if this block is left early.
                stack.push(item.stack)
                item.start()
                builds.append(item)
                continue
            time.sleep(POLL_SECONDS)
            for item in running:
                item.look()
    return builds


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    available = images.projects_with_images()
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
        help="extras of the project to install in place of those of its "
        "definition, such as torch for infer's engine = direct",
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
    if arguments.max_workers < 1:
        raise UserError(
            f"--max-workers: {arguments.max_workers} is not 1 or more"
        )
    if shutil.which("apptainer") is None:
        raise UserError("apptainer is not on PATH: install it to build images")
    arguments.projects = arguments.projects or available
    if arguments.container_root is None:
        arguments.container_root = config.directory("AFRAME_CONTAINER_ROOT")
    return arguments


def table(planned: Sequence[Image], builds: Sequence[Build]) -> str:
    """How each project ended, one line each.

    Args:
        planned: all images.
        builds: those that were built.
    """
    done = {item.image.project: item for item in builds}
    form = "{:8} {:10} {:>8} {:>7}  {}".format
    lines = [form("project", "result", "size", "time", "image or log")]
    for image in planned:
        item = done.get(image.project)
        result = item.outcome if item else "up to date"
        took = f"{item.seconds:.0f} s" if item else ""
        size, place = "", image.log
        if result != "failed":
            size = f"{image.path.stat().st_size / 1e6:.0f} MB"
            place = image.path
        lines.append(form(image.project, result, size, took, place))
    return "\n".join(lines)


def again(arguments: argparse.Namespace, projects: Sequence[str]) -> str:
    """The command that builds projects as the given arguments say.

    Args:
        arguments: of this call.
        projects: to build.
    """
    command = ["build-containers", *projects]
    for name in ("container_root", "base", "extras", "max_workers"):
        value = getattr(arguments, name)
        if value not in (None, 1):
            command += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(command)


@exit_on_user_error()
def main(argv: Sequence[str] | None = None) -> None:
    """Run ``build-containers``.

    Raises:
        SystemExit: with code 2, if an image could not be built.
    """
    interrupts.end_in_order()
    arguments = _parse(argv)
    planned = images.plan(
        arguments.projects,
        arguments.container_root,
        arguments.base,
        arguments.extras,
    )
    todo = [i for i in planned if arguments.force or not i.is_current()]
    builds = build(todo, arguments.max_workers)
    sys.stdout.write(f"{table(planned, builds)}\n")
    failed = [b.image.project for b in builds if b.outcome == "failed"]
    if failed:
        raise UserError(
            f"not built: {', '.join(failed)}; try again with\n"
            f"  {again(arguments, failed)}"
        )
