"""Signals end a run, whenever they come, and leave nothing behind."""

import os
import signal
import subprocess
import sys

import pytest

from aframe import interrupts

INTERRUPTED = """
import sys, time
import luigi
from aframe import base, interrupts, targets

class ToyWait(base.AframeTask):
    number = luigi.IntParameter()

    def output(self):
        return targets.FileTarget(f"/nowhere/{self.number}")

    def run(self):
        try:
            print("at work", flush=True)
            time.sleep(60)
        finally:
            print("tidied", flush=True)

interrupts.end_in_order()
tasks = [ToyWait(number=number) for number in range(2)]
luigi.build(tasks, local_scheduler=True, workers=int(sys.argv[1]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_end_in_order_without_a_traceback(tmp_path, number, workers):
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(workers)],
        env=os.environ | {"LAW_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    for _ in range(workers):
        while "at work" not in process.stdout.readline():
            assert process.poll() is None
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert "Traceback" not in output
    assert output.count("tidied") == workers
    assert "interrupted; run again to continue" in output
    assert process.returncode


@pytest.fixture
def handlers(monkeypatch):
    """Puts the handlers of signals back."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_a_signal_waits_for_the_end_of_a_block(handlers):
    steps = []

    def work():
        with interrupts.held(), interrupts.held():
            os.kill(os.getpid(), signal.SIGTERM)
            steps.append("went on")
        steps.append("never")

    interrupts.end_in_order()
    with pytest.raises(KeyboardInterrupt):
        work()
    os.kill(os.getpid(), signal.SIGTERM)
    steps.append("ends undisturbed")
    assert steps == ["went on", "ends undisturbed"]
