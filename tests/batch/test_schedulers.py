"""Workflows on batch systems that really run."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest


def test_branches_run_as_jobs(batch):
    """Twenty of them, and one that fails twice before it succeeds."""
    result = batch.law("--count", 20, "--failures", json.dumps({"7": 2}))
    assert result.returncode == 0, result.stdout + result.stderr
    assert [batch.runs(i) for i in range(20)] == [1] * 7 + [3] + [1] * 12
    expected = {f"Probe_{i}.log" for i in range(20)}
    assert batch.logs() == expected | {
        "Probe_7_retry1.log",
        "Probe_7_retry2.log",
    }
    first = batch.jobs() / "logs" / "Probe_7.log"
    assert "attempt 1 of branch 7" in first.read_text()
    assert str(first) in result.stdout
    again = batch.law("--count", 20)
    assert again.returncode == 0
    assert "submit" not in again.stdout


def test_a_job_gets_what_is_listed(batch, write_config):
    config = write_config(
        '[luigi_jobs]\nenvironment = ["GREETING"]\n', base="base.cfg"
    )
    batch.environment |= {
        "LAW_CONFIG_FILE": os.path.relpath(config),
        "GREETING": "hello, $HOME 'a'",
    }
    memory = ["--request-memory", "0.25G"]
    result = batch.law("--count", 1, *memory, "--request-time", 5)
    assert result.returncode == 0, result.stdout + result.stderr
    found = batch.done(0)
    assert found["memory"] == 256
    assert found["environment"]["GREETING"] == "hello, $HOME 'a'"
    assert found["environment"]["LAW_CONFIG_FILE"] == str(config)
    assert "NOT_FOR_JOBS" not in found["environment"]


def test_jobs_run_in_containers(batch, write_config, infer_image, tmp_path):
    """With credentials, of which none is in a file or message."""
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "a/secret+$HOME of S3",
        "WANDB_API_KEY": "0123456789secret0123456789",
    }
    here = Path(__file__).parent
    config = write_config(
        f"[luigi_jobs]\nenvironment = {json.dumps([*secrets])}\n"
        '[luigi_containers]\nenvironment = ["PYTHONPATH"]\n'
        f'directories = ["{here}"]\n',
        base="base.cfg",
    )
    batch.environment |= secrets | {
        "LAW_CONFIG_FILE": str(config),
        "AFRAME_SANDBOX": "apptainer",
        "AFRAME_CONTAINER_ROOT": str(infer_image.parent),
    }
    memory = ["--request-memory", "1GB"]
    result = batch.law("--count", 2, *memory, "--failures", '{"1": 1}')
    assert result.returncode == 0, result.stdout + result.stderr
    for branch in range(2):
        environment = batch.done(branch)["environment"]
        assert environment["APPTAINER_CONTAINER"] == str(infer_image)
        assert environment.items() >= secrets.items()
        assert "NOT_FOR_JOBS" not in environment
    assert [batch.runs(i) for i in range(2)] == [1, 2]
    first = batch.jobs() / "logs" / "Probe_1.log"
    assert "attempt 1 of branch 1" in first.read_text()
    for path in batch.place.glob("done-*"):
        path.unlink()
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    texts = [p.read_text(errors="replace") for p in written]
    for value in secrets.values():
        assert not [t for t in (*texts, result.stdout) if value in t]


def test_law_that_was_killed_finds_its_jobs(batch, wait):
    arguments = ["--count", 3, "--seconds", 5]
    process = batch.start(*arguments)
    wait(lambda: any(map(batch.runs, range(3))))
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {job["job_id"] for job in batch.record().values()}
    assert len(before) == 3
    result = batch.law(*arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "submit" not in result.stdout
    assert [batch.runs(i) for i in range(3)] == [1, 1, 1]


def test_jobs_are_cancelled(batch, wait):
    """At most two at once; a law that was interrupted leaves them."""
    arguments = ["--count", 3, "--seconds", 600, "--parallel-jobs", 2]
    process = batch.start(*arguments)
    wait(lambda: any(map(batch.runs, range(3))))
    assert len(batch.queue()) == 2
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    assert len(batch.queue()) == 2
    result = batch.law(*arguments, "--cancel-jobs")
    assert result.returncode == 0, result.stdout + result.stderr
    wait(lambda: not batch.queue())
    assert not any(map(batch.done, range(3)))


@pytest.mark.parametrize("system", ["htcondor"], indirect=True)
def test_a_held_job_is_removed_and_gets_more_memory(batch, wait):
    memory = ["--request-memory", "256MB", "--needs-memory", 300]
    result = batch.law("--count", 1, *memory)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "memory exceeded" in result.stdout
    assert batch.runs(0) == 2
    assert batch.done(0)["memory"] == 384
    wait(lambda: not batch.queue())


@pytest.mark.parametrize("system", ["htcondor"], indirect=True)
def test_a_variable_that_htcondor_drops_is_refused(batch):
    batch.environment["AFRAME_SANDBOX"] = "local;"
    result = batch.law("--count", 1, "--sandbox", "local")
    assert result.returncode
    output = result.stdout + result.stderr
    assert "AFRAME_SANDBOX: its value has a semicolon" in output


def test_a_job_that_fails_for_good_ends_in_a_message(batch):
    failures = ["--failures", json.dumps({"0": 9})]
    result = batch.law("--count", 1, "--retries", 0, *failures)
    assert result.returncode
    log = batch.jobs() / "logs" / "Probe_0.log"
    assert (
        f"1 of 1 jobs failed more than 0 times; the log of one is {log}"
        in (result.stdout + result.stderr)
    )
    assert "Traceback" not in result.stdout + result.stderr


def test_a_real_task_runs(batch, write_config, tmp_path):
    config = write_config("[luigi_base]\ntrain_stop = 1240580383\n")
    batch.environment["LAW_CONFIG_FILE"] = str(config)
    memory = ["--request-memory", "1GB"]
    result = batch.law(*memory, task="aframe.FetchTrain")
    assert result.returncode == 0, result.stdout + result.stderr
    (file,) = tmp_path.glob("train/background/*.hdf5")
    assert file.stat().st_size > 1e6
    assert batch.logs("FetchTrain") == {"FetchTrain_0.log"}


@pytest.mark.parametrize("system", ["slurm"], indirect=True)
def test_a_job_computes_on_the_gpus_that_it_is_given(batch, need):
    gpus = subprocess.run(
        ["sinfo", "--noheader", "--format", "%G"],
        capture_output=True,
        text=True,
        check=True,
    )
    need("slurm", "gpu" in gpus.stdout, "Slurm has no GPUs, not even feigned")
    result = batch.law("--count", 1, "--request-gpus", 1)
    assert result.returncode == 0, result.stdout + result.stderr
    environment = batch.done(0)["environment"]
    device = environment["CUDA_VISIBLE_DEVICES"]
    assert environment["LAW_JOB_TASK_PARAMS"].endswith(f"--gpus={device}")
