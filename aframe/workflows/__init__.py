"""Workflows: one task over many branches, here or on a batch system."""

from abc import abstractmethod
from typing import Any

import law
import luigi
from conventions.errors import UserError
from law.workflow.local import LocalWorkflowProxy

from aframe import config, targets
from aframe.base import AframeTask
from aframe.workflows.htcondor import HTCondorJobs
from aframe.workflows.slurm import SlurmJobs

WORKFLOWS = ("local", "htcondor", "slurm")
"""Accepted values of ``workflow``."""


class WorkflowParameter(luigi.Parameter):
    """Where the branches of a workflow run."""

    def __init__(self) -> None:
        super().__init__(
            default=law.NO_STR,
            significant=False,
            description="where the branches run: " + ", ".join(WORKFLOWS),
        )

    def parse(self, x: str) -> str:
        """Accept what there is.

        Raises:
            UserError: naming what is accepted.
        """
        if x in ("", law.NO_STR):
            return law.NO_STR
        if x not in WORKFLOWS:
            raise UserError(
                f"workflow: {x!r} is not accepted, only {', '.join(WORKFLOWS)}"
            )
        return x


class _LocalProxy(LocalWorkflowProxy):
    """Yields the branches on every run, for luigi to skip what is complete.

    Law's own remembers in a server process that they were yielded once.
    """

    @property
    def _local_workflow_has_yielded(self) -> bool:
        return False

    @_local_workflow_has_yielded.setter
    def _local_workflow_has_yielded(self, value: bool) -> None:
        pass


class AframeWorkflow(AframeTask, HTCondorJobs, SlurmJobs, law.LocalWorkflow):
    """A workflow whose branches depend on a list of segments.

    Until the segments are known, the workflow has one placeholder branch.
    Subclasses define the four abstract methods below.
    """

    workflow_proxy_cls = _LocalProxy
    exclude_index = True

    workflow = WorkflowParameter()

    @abstractmethod
    def segments_task(self) -> law.Task:
        """The task that writes the list of segments."""

    @abstractmethod
    def branch_plan(self) -> dict[int, Any]:
        """Data of each branch, once the segments are known."""

    @abstractmethod
    def branch_requires(self) -> dict[str, law.Task]:
        """What one branch requires."""

    @abstractmethod
    def branch_output(self) -> Any:
        """What one branch makes."""

    @law.dynamic_workflow_condition
    def workflow_condition(self) -> bool:
        """Whether the segments are known."""
        task = self.segments_task()
        known = not any(
            config.unset_variable(target.file)
            for target in targets.files(task.output())
        )
        return known and task.complete()

    @workflow_condition.create_branch_map
    def create_branch_map(self) -> dict[int, Any]:
        """Data of each branch."""
        return self.branch_plan()

    @workflow_condition.requires
    def requires(self) -> dict[str, law.Task]:
        """What one branch requires."""
        return self.branch_requires()

    @workflow_condition.output
    def output(self) -> Any:
        """What one branch makes."""
        return self.branch_output()

    def workflow_requires(self) -> dict[str, law.Task]:
        """What must be there before the branches start."""
        return {name: task.req(self) for name, task in self.reqs.items()}

    def workflow_complete(self) -> bool:
        """Whether all branches are complete."""
        upstream = self.workflow_requires().values()
        return (
            self.workflow_condition()
            and all(task.complete() for task in self.branch_tasks())
            and all(task.complete() for task in upstream)
        )

    def branch_tasks(self) -> list[law.Task]:
        """One task a branch."""
        return list(self.get_branch_tasks().values())
