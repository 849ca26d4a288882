"""A remote training from its data to its weights, all in a real store.

Only the cluster is not real: what the pod would run is run here, with the
files, variables and secrets that the API was given, and nothing else.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
import storage
import tiny
from kubernetes_server import ended

from aframe import init

SECTIONS = {
    "luigi_TrainRemote": {"remote_image": "train:1", "request_gpus": 0},
    "luigi_kubernetes": {"poll_interval": 0.5},
}


class Node:
    """Runs the pod of a job, once that begins."""

    def __init__(self, api, directory):
        self.api = api
        self.directory = directory
        # Sockets of the loader's workers need a short path.
        self.temporary = tempfile.TemporaryDirectory()
        self.command = None
        self.output = ""
        api.life, api.outcome, api.log = [{"phase": "Running"}], None, []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def job(self):
        with self.api.lock:
            jobs = [o for (k, _), o in self.api.objects.items() if k == "Job"]
        return jobs[0] if jobs and not jobs[0]["spec"]["suspend"] else None

    def object(self, kind, name):
        return self.api.objects[(kind, name)]

    def environment(self, container):
        found = {"PATH": os.environ["PATH"], "HOME": str(self.directory)}
        found |= {"TMPDIR": self.temporary.name, "OMP_NUM_THREADS": "1"}
        for variable in container["env"]:
            name = variable["name"]
            if "value" in variable:
                found[name] = variable["value"]
            else:
                place = variable["valueFrom"]["secretKeyRef"]
                secret = self.object("Secret", place["name"])
                found[name] = secret["stringData"][place["key"]]
        return found

    def run(self):
        while self.job() is None:
            time.sleep(0.1)
        job = self.job()
        [container] = job["spec"]["template"]["spec"]["containers"]
        files = self.object("ConfigMap", job["metadata"]["name"])["data"]
        for name, content in files.items():
            (self.directory / name).write_text(content)
        program, *words = container["command"]
        assert program == "python"
        words = [w.replace("/etc/aframe", str(self.directory)) for w in words]
        result = subprocess.run(
            [sys.executable, *words],
            env=self.environment(container),
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        code = result.returncode
        with self.api.lock:
            self.api.log = result.stdout.splitlines()
            self.api.life = [ended(code) if code else {"phase": "Succeeded"}]
            self.api.seen = -1
            self.api.outcome = "Failed" if code else "Complete"


@pytest.mark.timeout(900)
def test_a_pod_trains_from_the_store_into_the_store(
    tmp_path, monkeypatch, api, s3, s3_bucket
):
    directory = tmp_path / "run"
    place = s3_bucket / "night"
    init.write(directory, init.contents("demo", place), force=False)
    tiny.shrink_training(directory / "demo.yaml")
    config = tiny.config("remote.cfg", tiny.TRAINING, SECTIONS)
    (directory / "tiny.cfg").write_text(config)
    (tmp_path / "pod").mkdir()
    Node(api, tmp_path / "pod")
    law = Path(sys.executable).parent / "law"
    script = (
        "source environment.sh && export LAW_CONFIG_FILE=$here/tiny.cfg && "
        f"exec {law} run aframe.Train"
    )
    kept = {k: v for k, v in os.environ.items() if "AFRAME" not in k}
    result = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env={**kept, **s3.environment, "KUBECONFIG": str(api.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "aframe: TrainRemote: succeeded" in result.stdout
    for name in ("model.pt", "best.ckpt", "manifest.json"):
        assert storage.exists(place / "training" / name), name
    assert not api.objects
    here = {path.name for path in directory.iterdir()}
    assert not {"data", "training"} & here
