"""A tiny run of the whole pipeline, which is stopped, changed and repeated."""

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import h5py
import tiny

from aframe import init

SECTIONS = {
    "luigi_base": {
        "train_stop": 1240580283,
        "test_stop": 1240580683,
        "Tb": 600,
        "streams_per_gpu": 2,
    },
    "luigi_FetchTrain": {"min_duration": 64},
    "luigi_TrainingWaveforms": {"num_signals": 64},
    "luigi_Infer": {"slides_per_branch": 2},
}
WAIT_SECONDS = 240


def processes_of(directory):
    """Command lines of the processes that name a directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(str(directory) in word for word in words):
            found.append(" ".join(words))
    return found


class Run:
    """A run in a directory, started again and again."""

    def __init__(self, directory):
        self.directory = directory
        init.write(directory, init.contents("demo"), force=False)
        tiny.shrink_training(
            directory / "demo.yaml",
            batches_per_epoch=8,
            min_valid_duration=100,
            valid_livetime=100,
            max_epochs=2,
        )
        self.config = directory / "demo.cfg"
        self.configure({})
        self.log = directory / "log"

    def configure(self, changes):
        text = tiny.config("base.cfg", tiny.TRAINING, SECTIONS, changes)
        self.config.write_text(text)

    @contextmanager
    def changed(self, changes):
        """For a while other sections of the configuration."""
        self.configure(changes)
        try:
            yield
        finally:
            self.configure({})

    @contextmanager
    def without_an_output(self):
        """For a while without the events of a slide."""
        lost = min(self.slides.glob("*/foreground.hdf5"))
        kept = lost.read_bytes()
        lost.unlink()
        try:
            yield
        finally:
            lost.write_bytes(kept)

    def start(self, *arguments):
        with self.log.open("w") as log:
            return subprocess.Popen(
                [self.directory / "run.sh", *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def complete(self, *arguments):
        """Run to the end; return exit code and output."""
        code = self.start(*arguments).wait(WAIT_SECONDS)
        return code, self.log.read_text()

    def stop_at(self, text, number, file=None, arguments=()):
        """Start, wait for a line and a file, and signal the whole group."""
        process = self.start(*arguments)
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in self.log.read_text() or not (
            file is None or (self.directory / file).exists()
        ):
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        os.killpg(process.pid, number)
        return process.wait(60)

    def kill_during(self, stage, begun, ended):
        """Kill it once a file is begun, and before another one is there."""
        line = f"aframe: {stage} started"
        code = self.stop_at(line, signal.SIGKILL, begun)
        assert code == -signal.SIGKILL, self.log.read_text()
        assert self.no_process_is_left(), processes_of(self.directory)
        assert not (self.directory / ended).exists(), ended

    @property
    def slides(self):
        """Directories of the search of each segment and shift."""
        return self.directory / "results" / "infer" / "branches"

    def no_process_is_left(self):
        deadline = time.monotonic() + 30
        while (left := processes_of(self.directory)) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.2)
        return not left

    def started(self):
        """Tasks that the last run started."""
        return re.findall(
            r"^aframe: (.*) started$", self.log.read_text(), re.M
        )

    def times(self):
        """Time of the last change of each output."""
        return {
            path.relative_to(self.directory): path.stat().st_mtime_ns
            for folder in ("data", "training", "results")
            for path in sorted((self.directory / folder).rglob("*"))
            if path.is_file() and "/." not in str(path)
        }


def tables(directory):
    """All columns of the ledgers in a directory."""
    found = {}
    for path in sorted(directory.glob("*.hdf5")):
        with h5py.File(path) as file:
            if "parameters" not in file:
                continue
            for name, column in file["parameters"].items():
                found[f"{path.name}/{name}"] = column[:]
            found[f"{path.name}/attributes"] = sorted(file.attrs)
    return found
