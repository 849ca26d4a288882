"""A task that does in its container what a test wants to see."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import infer
import luigi
import storage
from conventions.errors import UserError

from aframe.base import AframeTask
from aframe.parameters import PathParameter
from aframe.targets import FileTarget


class Contained(AframeTask):
    project = "infer"

    place = PathParameter(description="where everything goes")
    act = luigi.Parameter(description="what it does")

    def output(self):
        return FileTarget(self.place / f"{self.act}.json")

    def run(self):
        print("says something", flush=True)
        print("complains a bit", file=sys.stderr, flush=True)
        getattr(self, self.act)()

    def report(self):
        """Note what is seen; stay long enough to be looked at."""
        (Path.home() / "kept").write_text("")
        time.sleep(1)
        self.output().file.write_text(
            json.dumps(
                {
                    "environment": dict(os.environ),
                    "directory": str(Path.cwd()),
                    "infer": infer.__file__,
                    "marker": getattr(infer, "marker", None),
                }
            )
        )

    def store(self):
        """Put a file where the one beside says."""
        remote = storage.location((self.place / "bucket").read_text()) / "x"
        storage.upload(self.place / "bucket", remote)
        assert storage.exists(remote)
        self.output().file.write_text("{}")

    def err(self):
        raise UserError(f"act: {self.act} is a mistake,\nof two lines")

    def break_down(self):
        raise RuntimeError("a bug in the container")

    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def wait(self):
        (self.place / "started").write_text("")
        try:
            time.sleep(600)
        finally:
            (self.place / "ended").write_text("")
