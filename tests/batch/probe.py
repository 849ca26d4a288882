"""A workflow that notes what happened to it, for tests of batch systems."""

import json
import os
import time
from pathlib import Path
from typing import ClassVar

from aframe.base import AframeTask
from aframe.parameters import (
    DictParameter,
    FloatParameter,
    IntParameter,
    PathParameter,
)
from aframe.targets import FileTarget
from aframe.workflows import AframeWorkflow


class ProbeParameters:
    travels = True

    place = PathParameter(description="where everything goes")


class ProbeList(ProbeParameters, AframeTask):
    def output(self):
        return FileTarget(self.place / "list.txt")

    def run(self):
        self.output().file.write_text("listed")


class Probe(ProbeParameters, AframeWorkflow):
    project = "infer"
    reqs: ClassVar = {"list": ProbeList}

    count = IntParameter(description="branches")
    seconds = FloatParameter(default=0.0, description="that one takes, s")
    failures = DictParameter(default={}, description="how often, by branch")
    needs_memory = IntParameter(
        default=0, description="least memory that a branch must be given, MB"
    )

    def segments_task(self):
        return self.reqs["list"].req(self)

    def branch_plan(self):
        return dict(enumerate(range(self.count)))

    def branch_requires(self):
        return {"list": self.segments_task()}

    def branch_output(self):
        return FileTarget(self.place / f"done-{self.branch}.json")

    def htcondor_job_config(self, description, job_num, branches):
        """Hold a job that had too little memory, as pools do."""
        description = super().htcondor_job_config(
            description, job_num, branches
        )
        if self.needs_memory:
            description.custom_content += [
                ("on_exit_hold", f"RequestMemory < {self.needs_memory}"),
                ("on_exit_hold_reason", '"memory exceeded"'),
            ]
        return description

    def run(self):
        runs = self.place / f"runs-{self.branch}"
        with runs.open("a") as file:
            file.write(f"{time.time()}\n")
        time.sleep(self.seconds)
        attempts = len(runs.read_text().splitlines())
        if attempts <= self.failures.get(str(self.branch), 0):
            raise RuntimeError(f"attempt {attempts} of branch {self.branch}")
        memory = given_memory()
        if memory < self.needs_memory:
            raise MemoryError(f"{memory} MB")
        self.output().file.write_text(
            json.dumps({"environment": dict(os.environ), "memory": memory})
        )


def given_memory():
    """Memory of this job, MB."""
    if "SLURM_MEM_PER_NODE" in os.environ:
        return int(os.environ["SLURM_MEM_PER_NODE"])
    ad = os.environ.get("_CONDOR_JOB_AD")
    if ad is None:
        return 0
    for line in Path(ad).read_text().splitlines():
        name, _, value = line.partition(" = ")
        if name == "RequestMemory":
            return int(value)
    return 0
