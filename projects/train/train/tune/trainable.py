"""A trial as Ray runs it: a training in a process of its own."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ray import tune

from train.tune import mortal
from train.tune.trials import SCORE, TrialDirectory

EPOCH = "epoch"
POLL_SECONDS = 0.5
END_SECONDS = 10.0


class Training(tune.Trainable):
    """Runs ``python -m train fit``, and reports its scores to Ray.

    The training is the one that anybody starts by hand: it continues from
    its last checkpoint by itself, and leaves the same files.

    ``config["trial"]`` has ``directory``, ``number``, ``max_epochs`` and
    ``working_directory``.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Start the training, unless it had finished before."""
        self.settings = config["trial"]
        self.directory = TrialDirectory(Path(self.settings["directory"]))
        self._reported = 0
        self._process: subprocess.Popen[bytes] | None = None
        if not self.directory.manifest.is_file():
            self._start()

    def _start(self) -> None:
        path = self.directory.path
        self.directory.begin()
        command = [
            *(sys.executable, mortal.__file__, str(os.getpid())),
            *(sys.executable, "-m", "train", "fit"),
            *("--config", str(self.directory.config)),
            *("--run_dir", str(path)),
        ]
        with self.directory.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.settings["working_directory"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def step(self) -> dict[str, Any]:
        """Wait for the next score, or for the end.

        Returns:
            Epochs and score; with the last, that the trial is done.
        """
        while self._process is not None:
            ended = self._process.poll() is not None
            if ended:
                return self._end()
            for epoch, score in self.directory.curve().items():
                if self._reported < epoch < self.settings["max_epochs"]:
                    self._reported = epoch
                    return {EPOCH: epoch, SCORE: score}
            time.sleep(POLL_SECONDS)
        return self._last("finished")

    def _end(self) -> dict[str, Any]:
        self._process = None
        finished = self.directory.manifest.is_file()
        outcome = "finished" if finished else "failed"
        self.directory.end(outcome)
        return self._last(outcome)

    def _last(self, outcome: str) -> dict[str, Any]:
        epoch, score = max(self.directory.curve().items(), default=(0, None))
        if outcome == "failed" or score is None:
            score = math.nan  # which no other trial is compared with
        return {EPOCH: epoch, SCORE: score, "done": True, "outcome": outcome}

    def cleanup(self) -> None:
        """End a training that is still running: Ray has stopped the trial."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(END_SECONDS)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        process.wait()
        self.directory.end("stopped")
