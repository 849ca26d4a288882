"""A task in a law process of its own, with workers of its own."""

import shlex
import subprocess
import sys
from pathlib import Path

import law
from law.task.proxy import ProxyCommand

from aframe import lifeline


def run(task: law.Task, workers: int) -> bool:
    """Run a task as ``law run`` does, with what else the command line says.

    Workers are forked, and can use neither torch nor gRPC if the process
    that they are forked from has: a task that runs another one's branches
    starts them from a new process. It ends when this one is killed, and its
    workers with it.

    Args:
        task: the task; its messages go where those of this process go.
        workers: branches that are run at the same time.

    Returns:
        Whether it succeeded.
    """
    command = ProxyCommand(
        task,
        exclude_global_args=["workers", "local-scheduler"],
        executable=[str(Path(sys.executable).with_name("law"))],
    )
    command.add_arg("--workers", str(workers))
    command.add_arg("--local-scheduler", "True")
    tied = lifeline.tied()
    process = subprocess.Popen([*tied, *shlex.split(command.build())])
    try:
        return process.wait() == 0
    finally:
        # At an interruption, its workers end before this process goes on.
        process.terminate()
        process.wait()
