"""The container sandbox: a task's ``run`` inside an Apptainer image."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import law
from law.task.proxy import ProxyCommand
from law.util import interruptable_popen

from aframe import config

#: Places of shared software and data at observatories' clusters, bound
#: where they exist.
SITE_DIRECTORIES = ("/cvmfs", "/archive", "/hdfs", "/ceph", "/scratch")

# law looks for names of staging directories in a section of the sandbox's own;
# nothing is staged.
law.config.update(
    {"apptainer_sandbox": {"stagein_dir_name": "", "stageout_dir_name": ""}}
)


class ApptainerSandbox(law.Sandbox):
    """Runs a task with ``apptainer exec IMAGE law run ...``.

    The name of the sandbox is the image's path. The container starts with a
    clean environment into which only law's own variables and those of
    :func:`aframe.config.forwarded_environment` go. They travel in the
    environment of the ``apptainer`` process, never on a command line.
    Directories are bound under their own paths, so that paths mean the same
    inside and outside.
    """

    sandbox_type = "apptainer"
    config_section_prefix = "apptainer"

    @property
    def image(self) -> Path:
        """Path of the image."""
        return Path(self.name)

    @property
    def env_cache_key(self) -> str:
        """Part of law's key for its cache of environments."""
        return self.name

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
        """
        proxy_cmd.add_arg("--local-scheduler", "True", overwrite=True)
        command = ["apptainer", "exec", "--cleanenv", "--no-home"]
        command += ["--pwd", str(Path.cwd())]
        if self.task.gpus:
            command.append("--nv")
        for path in self._binds():
            command += ["--bind", str(path)]
        command.append(str(self.image))
        return f"{shlex.join(command)} {proxy_cmd.build()}"

    def _binds(self) -> list[Path]:
        wanted = [Path(p) for p in SITE_DIRECTORIES if Path(p).is_dir()]
        wanted += [Path.cwd(), *self.task.sandbox_directories()]
        unique: list[Path] = []
        for path in wanted:
            if path not in unique:
                unique.append(path)
        return unique

    def run(
        self,
        cmd: str,
        stdout: Any = None,
        stderr: Any = None,
    ) -> tuple[int, str | None, str | None]:
        """Run the command; Ctrl-C reaches the container.

        Args:
            cmd: what :meth:`cmd` returned.
            stdout: file of the output, default the caller's.
            stderr: file of the errors, default the caller's.

        Returns:
            Exit code, and output and errors where they were piped.
        """
        env = config.process_environment() | {
            f"APPTAINERENV_{name}": value
            for name, value in self._get_env().items()
        }
        return interruptable_popen(
            cmd,
            shell=True,
            executable="/bin/bash",
            stdin=subprocess.DEVNULL,
            stdout=stdout or sys.stdout,
            stderr=stderr or sys.stderr,
            env=env,
        )
