"""Trainings on Kubernetes as `law run` sees them: the store is real."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import kubernetes_validate
import pytest
import storage
import yaml
from kubernetes_server import ended
from submissions import command_of

KEY = "wandb-hunter2-wandb-hunter2"
IMAGE = "registry.example.org/train:1"
RUN = "aframe.TrainRemote"
OUTPUTS = (
    *("model.pt", "best.ckpt", "last.ckpt", "batch.hdf5", "val_batch.hdf5"),
    "manifest.json",
)


class Remote:
    """Runs of law whose data are in a bucket."""

    def __init__(self, directory, environment, bucket, secrets):
        self.directory = directory
        self.environment = environment
        self.bucket = bucket
        self.url = str(bucket).rstrip("/")
        self.secrets = secrets
        self.log = directory / "law.log"

    def start(self, *arguments, **environment):
        law = Path(sys.executable).parent / "law"
        with self.log.open("w") as log:
            return subprocess.Popen(
                [law, "run", *arguments],
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __call__(self, *arguments, **environment):
        """Exit code and output, in which no secret is."""
        code = self.start(*arguments, **environment).wait(120)
        text = self.log.read_text()
        for secret in self.secrets:
            assert secret not in text
        return code, text

    def put(self, name, content="x"):
        path = self.directory / "file"
        path.write_text(content)
        storage.upload(path, self.bucket / name)

    def put_data(self):
        """What a training needs, as far as law looks."""
        data = "data/train/background"
        self.put(f"{data}/segments.txt", "0\t1240579783\t1240579883\t100\n")
        self.put(f"{data}/background-1240579783-100.hdf5")
        self.put("data/train/waveforms/train_waveforms.hdf5")
        self.put("data/train/waveforms/val_waveforms.hdf5")

    def put_outputs(self):
        for name in OUTPUTS:
            self.put(f"training/{name}")

    def wait(self, text, process):
        deadline = time.monotonic() + 90
        while text not in self.log.read_text():
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


@pytest.fixture
def remote(tmp_path, run_environment, write_config, api, s3, s3_bucket):
    config = write_config(
        f"""
[luigi_TrainRemote]
remote_image = {IMAGE}

[luigi_TuneRemote]
remote_image = {IMAGE}

[luigi_wandb]
enabled = true

[luigi_kubernetes]
poll_interval = 0.05
storage_claim = searches
""",
        base="bbh.cfg",
    )
    places = {
        "AFRAME_TRAIN_BACKGROUND_DIR": "data/train/background",
        "AFRAME_TRAIN_WAVEFORMS_DIR": "data/train/waveforms",
        "AFRAME_TRAIN_RUN_DIR": "training",
    }
    url = str(s3_bucket).rstrip("/")
    environment = {
        **run_environment,
        **s3.environment,
        **{name: f"{url}/{place}" for name, place in places.items()},
        "AFRAME_TMPDIR": str(tmp_path / "scratch"),
        "LAW_CONFIG_FILE": str(config),
        "KUBECONFIG": str(api.kubeconfig),
        "WANDB_API_KEY": KEY,
        "PYTHONUNBUFFERED": "1",
    }
    secret = s3.environment["AWS_SECRET_ACCESS_KEY"]
    return Remote(tmp_path, environment, s3_bucket, (KEY, secret, "token-of-"))


def manifests(text):
    return list(yaml.safe_load_all(text[text.index("# The job is begun") :]))


def test_a_dry_run_prints_what_would_be_submitted(remote, api):
    code, text = remote(RUN, "--dry-run", "--request-gpus", "2")
    assert code == 0, text
    assert not api.requests
    job, *others = manifests(text)
    assert [m["kind"] for m in others] == ["Secret", "Secret", "ConfigMap"]
    for manifest in (job, *others):
        kubernetes_validate.validate(manifest, "1.37", strict=True)
    command = command_of(job)
    assert command[:4] == ["python", "-m", "train", "fit"]
    assert command[4:6] == ["--config", "/etc/aframe/train.yaml"]
    assert f"{remote.url}/training" in command
    background = f"{remote.url}/data/train/background"
    assert f"--data.background_dir={background}" in command
    assert "--trainer.devices=2" in command
    assert "--wandb={}" in command
    yaml_file = others[-1]["data"]["train.yaml"]
    assert "class_path" in yaml_file


def test_local_inputs_are_refused_before_anything_runs(remote, api):
    code, text = remote(RUN, AFRAME_TRAIN_WAVEFORMS_DIR="/here")
    assert code != 0
    assert "waveforms is /here" in text
    assert "give directories such as s3://" in text
    assert not api.requests


def test_a_training_runs_and_is_complete(remote, api):
    remote.put_data()
    api.ends = remote.put_outputs
    code, text = remote(RUN)
    assert code == 0, text
    assert "aframe: TrainRemote: submitted job aframe-train-" in text
    assert "one\ntwo\nthree\n" in text
    assert not api.objects
    secrets = {
        body["metadata"]["name"]: body["stringData"]
        for method, parts, _, body in api.requests
        if (method, parts["kind"]) == ("POST", "secrets")
    }
    values = {k: v for data in secrets.values() for k, v in data.items()}
    assert values["WANDB_API_KEY"] == KEY
    assert values["AWS_SECRET_ACCESS_KEY"] in remote.secrets
    code, text = remote("aframe.Train")
    assert code == 0, text
    assert api.asked("POST")["jobs"] == 1
    assert "started" not in text


def test_a_job_that_leaves_nothing_is_no_success(remote, api):
    remote.put_data()
    code, text = remote(RUN)
    assert code != 0
    assert "succeeded, but left no" in text
    assert f"{remote.url}/training/manifest.json" in text


def test_a_training_that_fails_ends_the_run(remote, api):
    remote.put_data()
    api.life = [{"phase": "Running"}, ended(137, "OOMKilled")]
    api.outcome = "Failed"
    code, text = remote(RUN)
    assert code != 0
    assert "OOMKilled: train needed more memory than it was given" in text
    assert "three" in text


def waiting(remote, api, *arguments):
    """A run whose pod runs until it is told otherwise."""
    remote.put_data()
    api.life = [{"phase": "Running"}]
    api.outcome = None
    process = remote.start(RUN, *arguments)
    remote.wait("three", process)
    return process


def command_lines(pid):
    """Command lines of a process and of all that it has started."""
    found = [Path(f"/proc/{pid}/cmdline").read_bytes()]
    for task in Path(f"/proc/{pid}/task").iterdir():
        children = (task / "children").read_text().split()
        found += [line for child in children for line in command_lines(child)]
    return found


@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGINT, "1"), (signal.SIGTERM, "2")]
)
def test_an_interruption_removes_the_job(remote, api, number, workers):
    process = waiting(remote, api, "--workers", workers)
    assert api.has("Job")
    lines = b" ".join(command_lines(process.pid)).decode()
    assert "TrainRemote" in lines
    for secret in remote.secrets:
        assert secret not in lines
        assert secret not in remote.log.read_text()
    process.send_signal(number)
    assert process.wait(60) != 0
    assert not api.objects
    assert "Traceback" not in remote.log.read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_run_finds_its_job_again(remote, api, workers):
    process = waiting(remote, api, "--workers", workers)
    children = command_lines(process.pid)
    process.kill()
    process.wait()
    time.sleep(1.0 * (len(children) > 1))
    [name] = api.has("Job")
    api.life = [{"phase": "Running"}, {"phase": "Succeeded"}]
    api.outcome, api.seen = "Complete", -1
    api.ends = remote.put_outputs
    code, text = remote(RUN)
    assert code == 0, text
    assert f"found job {name}, which is there already" in text
    assert "one\ntwo\nthree\n" in text
    assert not api.objects
