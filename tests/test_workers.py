"""The search ends with the process that started it, however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOYS = """
import os, time
from pathlib import Path
import luigi
from aframe import base, targets, workers

class ToyWait(base.AframeTask):
    number = luigi.IntParameter()

    def output(self):
        return targets.FileTarget(f"/nowhere/{self.number}")

    def run(self):
        own, luigi_process = os.getpid(), os.getppid()
        Path(os.environ["TOY_DIR"], str(self.number)).write_text(
            f"{own} {luigi_process}"
        )
        time.sleep(100)

class ToyBoth(base.AframeTask):
    def requires(self):
        return {str(n): ToyWait(number=n) for n in range(2)}

    def output(self):
        return targets.FileTarget("/nowhere/both")

    def run(self):
        raise AssertionError("what it requires is never there")

class ToySearch(base.AframeTask):
    def output(self):
        return targets.FileTarget("/nowhere/search")

    def run(self):
        assert not workers.run(ToyBoth(), 2)
"""


def is_alive(pid):
    """Whether a process is there and not a zombie that nobody collects."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture
def search(tmp_path, run_environment):
    """A process that searches, and those that do so for it."""
    (tmp_path / "toys.py").write_text(TOYS)
    directory = tmp_path / "pids"
    directory.mkdir()
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    law = Path(sys.executable).with_name("law")
    owner = subprocess.Popen(
        [law, "run", "toys.ToySearch", "--local-scheduler", "True"],
        env=run_environment | {"PYTHONPATH": path, "TOY_DIR": str(directory)},
        start_new_session=True,
    )
    files = [directory / "0", directory / "1"]

    def at_work():
        assert owner.poll() is None
        return all(file.exists() and file.read_text() for file in files)

    wait_until(at_work, "both workers")
    pids = {int(pid) for file in files for pid in file.read_text().split()}
    yield owner, pids
    owner.kill()
    owner.wait()
    for pid in filter(is_alive, pids):
        os.kill(pid, signal.SIGKILL)


def test_a_killed_search_leaves_no_process(search):
    owner, pids = search
    assert len(pids) == 3
    assert all(map(is_alive, pids))
    owner.kill()
    wait_until(lambda: not any(map(is_alive, pids)), "the end of all")


def test_workers_end_with_a_killed_luigi(search):
    owner, pids = search
    [luigi_process] = {
        pid
        for pid in pids
        if f"\nPPid:\t{owner.pid}\n" in Path(f"/proc/{pid}/status").read_text()
    }
    os.kill(luigi_process, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids)), "the end of all")
    assert owner.wait(60) == 0
