"""Batch systems for tests, where one is running."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAMS = {"htcondor": "condor_q", "slurm": "sinfo"}
"""What shows whether a batch system answers."""

QUEUES = {
    "htcondor": ["condor_q", "-allusers", "-af", "GlobalJobId"],
    "slurm": ["squeue", "--noheader", "--format", "%A"],
}
"""What lists the jobs that are not at their end."""


@pytest.fixture(params=sorted(PROGRAMS))
def system(request, need):
    """Name of a batch system that runs here."""
    name, program = request.param, PROGRAMS[request.param]
    need(name, shutil.which(program) is not None, f"there is no {program}")
    answer = subprocess.run(
        [program], capture_output=True, check=False, timeout=60
    )
    need(name, answer.returncode == 0, f"{program} gets no answer")
    return name


class Run:
    """Runs of the probe on a batch system."""

    def __init__(self, system, place, environment):
        self.system = system
        self.place = place
        self.environment = environment

    def command(self, *arguments, task="probe.Probe"):
        law = Path(sys.executable).parent / "law"
        command = [law, "run", task, "--workflow", self.system]
        return [*command, "--poll-interval", "2s", *map(str, arguments)]

    def start(self, *arguments, **options):
        """Start the probe; its output goes into a file."""
        with (self.place / "output.txt").open("w") as output:
            return subprocess.Popen(
                self.command("--place", self.place, *arguments),
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                **options,
            )

    def law(self, *arguments, task="probe.Probe"):
        """Run a task to its end."""
        if task == "probe.Probe":
            arguments = ("--place", self.place, *arguments)
        return subprocess.run(
            self.command(*arguments, task=task),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def runs(self, branch):
        """How often a branch was begun."""
        file = self.place / f"runs-{branch}"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def done(self, branch):
        """What a branch noted at its end."""
        file = self.place / f"done-{branch}.json"
        return json.loads(file.read_text()) if file.exists() else None

    def logs(self, task="Probe"):
        return {p.name for p in self.jobs(task).glob("logs/*")}

    def jobs(self, task="Probe"):
        """The directory of the jobs."""
        root = Path(self.environment["AFRAME_CONDOR_DIR"])
        (found,) = root.glob(f"{task}_*")
        return found

    def record(self):
        """Job of each group of branches, as law recorded them."""
        (file,) = self.jobs().glob(f"{self.system}_jobs_*.json")
        return json.loads(file.read_text())["jobs"]

    def queue(self):
        """Jobs that the batch system has not ended."""
        answer = subprocess.run(
            QUEUES[self.system], capture_output=True, text=True, check=True
        )
        return set(answer.stdout.split())


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)


@pytest.fixture
def wait():
    return wait_until


@pytest.fixture
def batch(system, tmp_path, run_environment):
    """Runs of the probe in a temporary directory."""
    place = tmp_path / "probe"
    place.mkdir()
    environment = run_environment | {
        "AFRAME_CONDOR_DIR": str(tmp_path / "jobs"),
        "PYTHONPATH": str(Path(__file__).parent),
        "OMP_WAIT_POLICY": "PASSIVE",
        "NOT_FOR_JOBS": "secret",
    }
    run = Run(system, place, environment)
    before = run.queue()
    yield run
    assert run.queue() <= before, "a test left jobs behind"
