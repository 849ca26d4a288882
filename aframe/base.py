"""What all tasks share: where they run and what they require."""

import multiprocessing
from pathlib import Path
from typing import Any, ClassVar

import law
import luigi
from conventions.errors import UserError
from law.util import flatten

import aframe.sandbox  # noqa: F401 (law finds a sandbox among known classes)
from aframe import (
    config,
    forwarding,
    freshness,
    interrupts,
    lifeline,
    messages,
    validation,
)
from aframe.parameters import BoolParameter, ChoiceParameter, PathParameter

law.patches.before_run(interrupts.end_in_order)
messages.install()


class ExecutionParameters:
    """Where a task runs; passed on to the tasks that it requires."""

    travels = True

    sandbox = ChoiceParameter(
        default="",
        choices=("", *config.SANDBOXES),
        significant=False,
        description="where run() is executed: local (this environment) or "
        "apptainer (the project's container image); empty: AFRAME_SANDBOX, "
        "or sandbox of [luigi_base], or local",
    )
    dev = BoolParameter(
        default=False,
        significant=False,
        description="in a container, use this checkout's code instead of "
        "the image's",
    )
    gpus = luigi.Parameter(
        default="",
        significant=False,
        description="comma-separated ids of the GPUs to use; empty: none, "
        "but a training takes what the environment shows",
    )


class AframeTask(ExecutionParameters, law.SandboxTask):
    """Base of all tasks.

    Attributes:
        project: the project whose container image ``run`` needs.
        reqs: tasks that this one requires, by name; a subclass swaps one
            for another here.
        config_sections: sections of the configuration that give the
            parameters which the task's own section does not.
    """

    image = luigi.Parameter(
        default="",
        significant=False,
        description="container image, relative to the container root unless "
        "absolute; empty: <project>.sif",
    )

    project: ClassVar[str] = ""
    reqs: ClassVar[dict[str, type[law.Task]]] = {}
    config_sections: ClassVar[tuple[str, ...]] = ()

    allow_empty_sandbox = True
    valid_sandboxes: ClassVar[list[str]] = []
    exclude_index = True

    @classmethod
    def get_param_values(
        cls, params: list, args: tuple, kwargs: dict[str, Any]
    ) -> list[tuple[str, Any]]:
        """Resolve parameters: given, own section, sections of bases.

        Raises:
            UserError: if the configuration has an unknown section, key or
                value, or a parameter is nowhere given.
        """
        validation.check_once()
        found = validation.from_sections(cls, params, kwargs)
        try:
            return super().get_param_values(params, args, found | kwargs)
        except luigi.parameter.MissingParameterException as error:
            raise UserError(
                validation.describe_missing(cls, params, kwargs) or str(error)
            ) from None

    @classmethod
    def req_params(cls, inst: law.Task, **kwargs: Any) -> dict[str, Any]:
        """Parameters of a task that ``inst`` requires.

        Only those of a group that travels and that both have are taken over
        from ``inst``; all others come from the task's own configuration, so
        that a task is the same from wherever it is required. Where a task
        runs is taken over only if it was said.
        """
        params = super().req_params(inst, **kwargs)
        if type(inst) is cls:
            return params
        kept = {name for name in kwargs if not name.startswith("_")}
        for group in cls.__mro__:
            if vars(group).get("travels") and isinstance(inst, group):
                kept |= {
                    name
                    for name in dir(group)
                    if isinstance(getattr(group, name), luigi.Parameter)
                }
        unsaid = {
            name
            for name in dir(ExecutionParameters)
            if name in params and name not in kwargs and not params[name]
        }
        return {k: v for k, v in params.items() if k in kept - unsaid}

    def requires(self) -> dict[str, law.Task]:
        """The tasks of ``reqs``."""
        return {name: task.req(self) for name, task in self.reqs.items()}

    def input_files(self) -> list[Path]:
        """Files of the user that outputs are made from, all existing.

        Outputs that are older than one of them are made anew.
        """
        return []

    def complete(self) -> bool:
        """Whether outputs exist and are not older than what they need."""
        return freshness.is_complete(self)

    def trigger_event(self, event: str, *args: Any, **kwargs: Any) -> None:
        """Luigi's own, which alone would swallow a Ctrl-C that comes then."""
        with interrupts.held():
            super().trigger_event(event, *args, **kwargs)

    def fallback_sandbox(self, sandbox: str) -> str:
        """Law's name for the sandbox that the parameters ask for."""
        chosen = sandbox or config.sandbox()
        if chosen not in config.SANDBOXES:
            raise UserError(
                f"sandbox: {chosen!r} is unknown, accepted are "
                f"{', '.join(config.SANDBOXES)}"
            )
        if chosen == "local" or not self.project:
            return law.NO_STR
        return f"apptainer::{self.image_path}"

    @property
    def image_path(self) -> Path:
        """The container image."""
        name = Path(self.image or f"{self.project}.sif")
        return name if name.is_absolute() else config.container_root() / name

    @property
    def needs_gpus(self) -> bool:
        """Whether a container is given the GPUs of its machine."""
        return bool(self.gpus)

    def sandbox_pre_run(self) -> None:
        """Look for the image, now that the task is about to run.

        Raises:
            UserError: naming the image and the command that builds it.
        """
        config.require_image(self.image_path)

    def sandbox_law_executable(self) -> list[str]:
        """The law of a container's own environment."""
        return ["/opt/aframe/bin/law"]

    def sandbox_env(self, env: dict[str, str]) -> dict[str, str]:
        """Environment variables of a container, beside law's own."""
        forwarded = forwarding.environment()
        if self.gpus:
            forwarded["CUDA_VISIBLE_DEVICES"] = self.gpus
        if self.dev:
            libs = sorted((config.ROOT / "libs").glob("*/"))
            code = [
                config.ROOT,
                *libs,
                config.ROOT / "projects" / self.project,
            ]
            forwarded["PYTHONPATH"] = ":".join(map(str, code))
        return forwarded

    def sandbox_directories(self) -> list[Path]:
        """Directories of the host that a container needs."""
        directories = self._given_directories()
        if self.dev:
            directories.append(config.ROOT)
        return directories

    def _given_directories(self) -> list[Path]:
        """Where parameters of this task and of all before it point to."""
        pending, seen, found = [self], set(), set()
        while pending:
            task = pending.pop()
            seen.add(task.task_id)
            for name, param in task.get_params():
                path = getattr(task, name)
                if not isinstance(param, PathParameter) or path is None:
                    continue
                if forwarding.is_local(path):
                    found.add(forwarding.nearest_directory(path))
            pending += [
                other
                for other in flatten(task.requires())
                if other.task_id not in seen
            ]
        return sorted(found)


@AframeTask.event_handler(luigi.Event.START)
def _end_with_luigi(task: AframeTask) -> None:
    """A worker process does not outlive luigi, however that ends."""
    luigi_process = multiprocessing.parent_process()
    if luigi_process is not None:
        lifeline.end_with(luigi_process.pid)


@AframeTask.event_handler(luigi.Event.START)
def _announce_start(task: AframeTask) -> None:
    messages.announce(task, "started")


@AframeTask.event_handler(luigi.Event.PROCESSING_TIME)
def _announce_end(task: AframeTask, seconds: float) -> None:
    messages.announce(task, f"done in {seconds:.1f} s")
