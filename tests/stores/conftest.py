"""A run whose directories are all in a store."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import tiny

SECTIONS = {
    "luigi_base": {
        "train_stop": 1240580033,
        "test_stop": 1240580283,
        "max_duration": 125,
        "Tb": 200,
    },
    "luigi_FetchTrain": {"min_duration": 64},
    "luigi_FetchTest": {"min_duration": 64},
    "luigi_TrainingWaveforms": {"num_signals": 8},
    "luigi_ValidationWaveforms": {"num_signals": 4},
    "luigi_wandb": {"enabled": "true"},
    "luigi_Infer": {"engine": "direct"},
    "luigi_ExportLocal": {"repository_directory": "model_repository"},
}
WANDB_KEY = "5ec2e7" * 6 + "cafe"


def command_lines():
    """Those of all processes of this machine."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield entry.read_bytes().decode(errors="replace")
        except OSError:
            continue


class StoredRun:
    """A run in a bucket; what it needs here is in a directory.

    Attributes:
        bucket: where its directories are.
        place: of this machine.
        environment: of its processes.
        log: what all of them printed.
        seen: command lines that held a secret while they ran.
    """

    def __init__(self, bucket, place, base, environment):
        self.bucket = bucket
        self.place = place
        self.config = place / "test.cfg"
        self.config.write_text(tiny.config(base, SECTIONS))
        self.environment = environment | {
            "AFRAME_TRAIN_BACKGROUND_DIR": f"{bucket}train/background",
            "AFRAME_TRAIN_WAVEFORMS_DIR": f"{bucket}train/waveforms",
            "AFRAME_TEST_BACKGROUND_DIR": f"{bucket}test/background",
            "AFRAME_TEST_WAVEFORMS_DIR": f"{bucket}test/waveforms",
            "AFRAME_TRAIN_RUN_DIR": f"{bucket}training",
            "AFRAME_RESULTS_DIR": f"{bucket}results",
            "AFRAME_TMPDIR": str(place / "tmp"),
            "AFRAME_CONDOR_DIR": str(place / "condor"),
            "WANDB_API_KEY": WANDB_KEY,
            "LAW_CONFIG_FILE": str(self.config),
            "LAW_HOME": str(place / ".law"),
            "PYTHONPATH": str(Path(__file__).parent / "programs"),
        }
        self.log = ""
        self.seen = []

    @property
    def secrets(self):
        """What nobody is to see."""
        return [
            self.environment[name]
            for name in ("AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY")
        ]

    def _watch(self, ended):
        while not ended.wait(0.2):
            self.seen += [
                line
                for line in command_lines()
                if any(secret in line for secret in self.secrets)
            ]

    def law(self, *arguments, **environment):
        """Run law; return exit code and output."""
        ended = threading.Event()
        watch = threading.Thread(target=self._watch, args=(ended,))
        watch.start()
        try:
            done = subprocess.run(
                [Path(sys.executable).with_name("law"), "run", *arguments],
                env=self.environment | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=600,
            )
        finally:
            ended.set()
            watch.join()
        self.log += done.stdout
        return done.returncode, done.stdout


@pytest.fixture
def stored(s3, s3_bucket, configs, tmp_path):
    """A run whose directories are all in a store."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("AFRAME_")
    }
    base = configs / "base.cfg"
    return StoredRun(s3_bucket, tmp_path, base, environment | s3.environment)
