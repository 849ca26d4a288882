"""The container sandbox: a task's ``run`` inside an Apptainer image."""

import csv
import io
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import law
from conventions.errors import UserError
from law.task.proxy import ProxyCommand

from aframe import config, forwarding, lifeline
from aframe.forwarding import Mount

# law looks for names of staging directories in a section of the sandbox's own;
# nothing is staged.
law.config.update(
    {"apptainer_sandbox": {"stagein_dir_name": "", "stageout_dir_name": ""}}
)

# Apptainer hands these on to any container.
_FOREIGN = ("APPTAINERENV_", "SINGULARITYENV_")


class ApptainerSandbox(law.Sandbox):
    """Runs a task with ``apptainer exec IMAGE law run ...``.

    The name of the sandbox is the image's path. The container starts with a
    clean environment into which only law's own variables and those of
    :func:`aframe.forwarding.environment` go. They travel in the environment
    of the ``apptainer`` process, never on a command line. Directories are
    bound under their own paths, so that paths mean the same inside and
    outside. The home is an empty directory that goes with the container.
    """

    sandbox_type = "apptainer"
    config_section_prefix = "apptainer"

    _home: tempfile.TemporaryDirectory | None = None

    @property
    def image(self) -> Path:
        """Path of the image."""
        return Path(self.name)

    @property
    def env_cache_key(self) -> str:
        """Part of law's key for its cache of environments."""
        return self.name

    @property
    def home(self) -> Path:
        """The container's home, also where it leaves a user's mistake."""
        if self._home is None:
            place = forwarding.scratch_directory()
            place.mkdir(parents=True, exist_ok=True)
            self._home = tempfile.TemporaryDirectory(
                prefix="aframe-container-", dir=place
            )
        return Path(self._home.name)

    def create_env(self) -> dict[str, str]:
        """Environment by which law evaluates the task's targets.

        Paths are the same inside and outside, hence the host's own.
        """
        return config.process_environment()

    def _get_env(self) -> dict[str, str]:
        # law's implementation also reads config sections that are not ours
        root = law.task.base.root_task() or self.task
        env = {
            "LAW_SANDBOX": self.key,
            "LAW_SANDBOX_SWITCHED": "1",
            "LAW_SANDBOX_TASK_ID": self.task.live_task_id,
            "LAW_SANDBOX_ROOT_TASK_ID": root.task_id,
            "LAW_SANDBOX_IS_ROOT_TASK": str(int(self.task.is_root_task())),
        }
        for name in ("worker_id", "worker_first_task_id"):
            value = getattr(self.task, f"_{name}", None)
            if value:
                env[f"LAW_SANDBOX_{name.upper()}"] = value
        return env | self.task.sandbox_env(env)

    def force_local_scheduler(self) -> bool:
        """The inner law runs one task and needs no central scheduler."""
        return True

    def cmd(self, proxy_cmd: ProxyCommand) -> str:
        """The shell command that runs the task in the image.

        Args:
            proxy_cmd: law's command for the same task.

        Returns:
            The command; :meth:`run` gives it its environment.

        Raises:
            UserError: if Apptainer is not there.
        """
        if shutil.which("apptainer") is None:
            raise UserError(
                "sandbox = apptainer needs apptainer on PATH: install it, or "
                "run with sandbox = local"
            )
        proxy_cmd.add_arg("--local-scheduler", "True", overwrite=True)
        # Without evaluation, a variable has the same value on both sides.
        command = ["apptainer", "exec", "--cleanenv", "--no-eval"]
        command += ["--no-mount", "cwd", "--home", str(self.home)]
        here = Path.cwd()
        command += ["--pwd", str(here if Mount(here).is_possible else "/")]
        if self.task.needs_gpus:
            command.append("--nv")
        for mount in forwarding.mounts(self.task.sandbox_directories()):
            command += ["--mount", _mount_option(mount)]
        command.append(str(self.image))
        return f"{shlex.join(command)} {proxy_cmd.build()}"

    def run(
        self,
        cmd: str,
        stdout: Any = None,
        stderr: Any = None,
    ) -> tuple[int, str | None, str | None]:
        """Run the command in a container that ends when this process does.

        Args:
            cmd: what :meth:`cmd` returned.
            stdout: file of the output, default the caller's.
            stderr: file of the errors, default the caller's.

        Returns:
            Exit code, which is 0, and None twice.

        Raises:
            UserError: the one that was raised in the container, otherwise
                one that says how it ended.
        """
        error = self.home / "error.txt"
        inside = self._get_env() | {"AFRAME_CONTAINER_ERROR": str(error)}
        env = {
            name: value
            for name, value in config.process_environment().items()
            if not name.startswith(_FOREIGN)
        } | {f"APPTAINERENV_{name}": value for name, value in inside.items()}
        process = subprocess.Popen(
            [*lifeline.tied(group=True), *shlex.split(cmd)],
            stdin=subprocess.DEVNULL,
            stdout=stdout or sys.stdout,
            stderr=stderr or sys.stderr,
            env=env,
        )
        try:
            code = process.wait()
            message = error.read_text() if error.exists() else ""
        finally:
            # At an interruption, the container ends before this process.
            process.terminate()
            process.wait()
            self._home.cleanup()
            self._home = None
        if code:
            raise UserError(message or self._how_it_ended(code))
        return code, None, None

    def _how_it_ended(self, code: int) -> str:
        signal = -code if code < 0 else code - 128
        how = f"ended by signal {signal}" if signal > 0 else f"code {code}"
        return (
            f"{self.task.task_family} failed in a container of {self.image} "
            f"({how}): what it said is above"
        )


def _mount_option(mount: Mount) -> str:
    """The option of a mount, for a path with any characters."""
    fields = [
        "type=bind",
        f"source={mount.path}",
        f"destination={mount.path}",
        *["ro"] * mount.read_only,
    ]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()
