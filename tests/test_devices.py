"""Two GPUs are two workers, and a GPU is one worker's."""

import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from aframe import config, devices, forwarding, job_environment

WORKER = """
import sys, time
from aframe import devices
gpus, log, seconds = sys.argv[1:]
def say(line):
    with open(log + ".said", "a") as file:
        print(line, file=file, flush=True)
with devices.claim(gpus, say) as name:
    with open(log, "a") as file:
        print(name, "on", time.monotonic(), file=file, flush=True)
    time.sleep(float(seconds))
    with open(log, "a") as file:
        print(name, "off", time.monotonic(), file=file, flush=True)
"""


@pytest.fixture
def worker(tmp_path):
    """Starts a process that claims a device for some time."""
    started = []

    def start(gpus, seconds, run=str(tmp_path)):
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", WORKER, gpus),
                *(str(tmp_path / "log"), str(seconds)),
            ],
            env=os.environ | {"AFRAME_RUN": run},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def read(log):
    """Rows of device, what, time."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(n, w, float(t)) for n, w, t in map(str.split, lines)]


def wait_for(log, count):
    deadline = time.monotonic() + 30
    while len(read(log)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return read(log)


@pytest.mark.parametrize(
    ("gpus", "names"),
    [("", ["cpu"]), ("0", ["0"]), ("0,3", ["0", "3"]), (" 1, 2", ["1", "2"])],
)
def test_the_names_of_devices(gpus, names):
    assert devices.names(gpus) == names


@pytest.mark.parametrize(("gpus", "count"), [("0,1", 2), ("", 1)])
def test_processes_take_turns_on_each_device(worker, tmp_path, gpus, count):
    processes = [worker(gpus, 0.2) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    rows = sorted(read(tmp_path / "log"), key=lambda row: row[2])
    held = set()
    for name, what, _ in rows:
        if what == "on":
            assert name not in held
            held.add(name)
        else:
            held.remove(name)
    assert {name for name, _, _ in rows} <= set(devices.names(gpus))
    assert sum(what == "on" for _, what, _ in rows) == 4
    assert len(devices.names(gpus)) == count


def test_a_killed_process_gives_its_device_back(worker, tmp_path):
    first = worker("7", 100)
    wait_for(tmp_path / "log", 1)
    second = worker("7", 0)
    time.sleep(2 * devices.POLL_SECONDS)
    assert second.poll() is None
    said = (tmp_path / "log.said").read_text().splitlines()
    assert said == ["waits: other workers of this run use 7"]
    first.kill()
    assert second.wait(30) == 0


def test_another_run_is_not_waited_for(worker, tmp_path):
    """Jobs that share a machine call each one's GPU 0."""
    worker("0", 100)
    wait_for(tmp_path / "log", 1)
    assert worker("0", 0, run="").wait(30) == 0
    assert worker("0", 0, run="").wait(30) == 0
    assert not (tmp_path / "log.said").exists()


def test_a_run_is_known_in_its_forks_and_containers(monkeypatch):
    monkeypatch.delenv("AFRAME_RUN", raising=False)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(config.run_id) == config.run_id()
    assert forwarding.environment()["AFRAME_RUN"] == config.run_id()
    assert "AFRAME_RUN" not in job_environment.variables()
    monkeypatch.setenv("AFRAME_RUN", "of the host")
    assert config.run_id() == "of the host"


def test_a_gpu_is_the_only_one_that_is_seen(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    with devices.claim("1,2", print) as name:
        assert name == "1"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
        with devices.claim("1,2", print) as other:
            assert other == "2"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with devices.claim("1", print):
        pass
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_the_cpu_needs_no_variable(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with devices.claim("", print) as name:
        assert name == "cpu"
        assert "CUDA_VISIBLE_DEVICES" not in os.environ
