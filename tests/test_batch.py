"""What can be said of jobs without a batch system."""

import pytest
from conventions.errors import UserError

from aframe.tasks import FetchTrain


@pytest.mark.parametrize(
    ("text", "size"),
    [("500MB", 500), ("4GB", 4096), ("4g", 4096), ("0.5 GiB", 512)],
)
def test_sizes_have_units(text, size):
    assert FetchTrain.request_memory.parse(text) == size
    written = FetchTrain.request_memory.serialize(size)
    assert FetchTrain.request_memory.parse(written) == size


@pytest.mark.parametrize("text", ["4096", "lots", "0MB", "-1GB", ""])
def test_sizes_without_units_are_refused(text):
    with pytest.raises(UserError, match=r"request_memory: .* such as 500MB"):
        FetchTrain.request_memory.parse(text)


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("request_cpus", "0", 1), ("retries", "-1", 0), ("request_gpus", "x", 0)],
)
def test_counts_are_checked(name, value, least):
    with pytest.raises(UserError, match=f"{name}: .* at least {least}"):
        getattr(FetchTrain, name).parse(value)


@pytest.mark.parametrize(
    ("workflow", "program"),
    [("slurm", "sbatch"), ("htcondor", "condor_submit")],
)
def test_programs_are_missed_when_jobs_are_submitted(law, workflow, program):
    arguments = ["aframe.FetchTrain", "--workflow", workflow]
    listed = law(*arguments, "--print-status", "1", PATH="/nowhere")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    result = law(*arguments, PATH="/nowhere")
    output = result.stdout + result.stderr
    assert result.returncode
    assert f"workflow: {workflow} needs {program}" in output
    assert "Traceback" not in output
