"""What trainings and searches on Kubernetes submit, and what they refuse."""

import json
import re
import subprocess
import sys

import kubernetes_validate
import pytest
import storage
from conventions.errors import UserError
from submissions import command_of

from aframe import sections
from aframe.tasks import Train, TrainLocal, TrainRemote, TuneRemote

KEY = "hunter2-hunter2"
IMAGE = "registry.example.org/train:1"
SETTINGS = {
    "ifos": ("H1", "L1"),
    "sample_rate": 2048.0,
    "kernel_length": 1.5,
    "fduration": 1.0,
    "run_dir": "s3://bucket/training",
}
SECRETS = {
    "AWS_ACCESS_KEY_ID": "s3",
    "AWS_SECRET_ACCESS_KEY": "s3",
    "RAY_AUTH_TOKEN": "ray",
}


@pytest.fixture
def make(monkeypatch, tmp_path):
    """Makes a task whose data are in a store that nobody asks."""
    given = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": KEY}
    given["AFRAME_TMPDIR"] = str(tmp_path)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    places = {
        "background_dir": storage.location("s3://bucket/background"),
        "waveforms_dir": storage.location("s3://bucket/waveforms"),
    }

    def make(cls, **parameters):
        monkeypatch.setattr(cls, "directories", lambda self: places)
        return cls(**{**SETTINGS, "remote_image": IMAGE, **parameters})

    return make


@pytest.fixture
def claim(monkeypatch):
    """A volume that all pods can write."""

    class Section:
        image_pull_secret = s3_endpoint_url = ""
        storage_claim = "searches"

    monkeypatch.setattr(sections, "kubernetes", Section)


def test_a_search_is_a_job_and_a_ray_cluster(make, claim):
    asked = make(TuneRemote, num_samples=3, gpus_per_worker=1).submission()
    job = asked.job()
    kubernetes_validate.validate(job, "1.37", strict=True)
    name = job["metadata"]["name"]
    assert set(asked.files) == {"train.yaml", "space.yaml"}
    command = command_of(job)
    assert command[:3] == ["python", "-m", "train.tune"]
    assert f"--tune.endpoint={name}-head-svc:10001" in command
    assert f"--tune.storage_dir=/storage/{name}" in command
    assert "--tune.space=/etc/aframe/space.yaml" in command
    assert "--tune.num_samples=3" in command
    assert "s3://bucket/training" in command
    head = asked.ray["spec"]["headGroupSpec"]["template"]["spec"]
    [workers] = asked.ray["spec"]["workerGroupSpecs"]
    pods = [job["spec"]["template"]["spec"], head, workers["template"]["spec"]]
    for spec in pods:
        claimed = {"persistentVolumeClaim": {"claimName": "searches"}}
        assert {"name": "storage", **claimed} in spec["volumes"]
        [container] = spec["containers"]
        assert container["image"] == IMAGE
        variables = {e["name"]: e for e in container["env"]}
        assert variables["RAY_AUTH_MODE"]["value"] == "token"
        for key, kind in SECRETS.items():
            found = variables[key]["valueFrom"]["secretKeyRef"]
            assert found == {"name": f"{name}-{kind}", "key": key}
    limits = pods[2]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "8", "memory": "32G", "nvidia.com/gpu": "1"}
    assert KEY not in asked.text()


def test_a_search_needs_a_shared_volume(make):
    with pytest.raises(UserError, match="storage_claim of"):
        make(TuneRemote).submission()


def test_a_ray_cluster_that_is_there_is_used(make, monkeypatch, tmp_path):
    task = make(TuneRemote, endpoint="x:1", storage_dir=tmp_path)
    with pytest.raises(UserError, match="nothing is submitted to Kubern"):
        task.submission()
    ran = []
    monkeypatch.setattr(TuneRemote, "check_strays", lambda self: None)
    result = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: ran.append(command) or result
    )
    task.run()
    [command] = ran
    assert command[0] == sys.executable
    assert "--tune.endpoint=x:1" in command
    assert f"--tune.storage_dir={tmp_path}" in command


def test_train_picks_where_by_its_outputs(monkeypatch):
    required = []

    def req(cls, inst, **given):
        required.append(given)
        return cls(**{**SETTINGS, **given})

    monkeypatch.setattr(TrainLocal, "req", classmethod(req))
    there = Train(**SETTINGS, seed=3).training()
    assert type(there) is TrainRemote
    here = Train(**{**SETTINGS, "run_dir": "/here"}).training()
    assert type(here) is TrainLocal
    assert required[0]["seed"] == 3
    assert set(required[0]) == {
        *("config", "psd_length", "seed", "run_dir", "use_wandb")
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"remote_image": ""}, "has no remote_image"),
        ({"shm_size": "lots"}, "shm_size: 'lots' is no amount"),
        ({"git_repository": "https://x/y"}, "give git_revision"),
        ({"git_revision": "abc"}, "git_revision: abc is of no repository"),
        (
            {"git_repository": "https://me:geheim@x/y", "git_revision": "a"},
            "^git_repository holds a password, which all would see",
        ),
        ({"memory_per_cpu": 0.0}, "is part of the container's memory"),
    ],
)
def test_what_is_missing_is_said(make, options, message):
    with pytest.raises(UserError, match=message):
        make(TrainRemote, **options).submission()


def test_a_training_without_gpus(make):
    job = make(TrainRemote, request_gpus=0).submission().job()
    assert not [word for word in command_of(job) if "devices" in word]
    assert "nvidia.com" not in json.dumps(job)


def test_jobs_of_one_place_have_one_name(make):
    one = make(TrainRemote).submission()
    other = make(TrainRemote, seed=1).submission()
    assert one.name == other.name
    assert one.fingerprint != other.fingerprint
    elsewhere = make(TrainRemote, run_dir="s3://bucket/other").submission()
    assert elsewhere.name != one.name
    assert re.fullmatch("aframe-train-[0-9a-f]{10}", one.name)


def test_a_revision_is_run_from_its_repository(make):
    options = {"git_repository": "https://x/y", "git_revision": "abc"}
    job = make(TrainRemote, **options).submission().job()
    spec = job["spec"]["template"]["spec"]
    [container] = spec["containers"]
    environment = {e["name"]: e.get("value") for e in container["env"]}
    path = environment["PYTHONPATH"].split(":")
    assert path[0] == "/code/git/aframe/projects/train"
    assert "/code/git/aframe/libs/preprocessing" in path
    kubernetes_validate.validate(job, "1.37", strict=True)


def test_the_client_of_kubernetes_may_be_missing(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    for name in ("api", "jobs", "logs"):
        monkeypatch.delitem(sys.modules, f"aframe.remote.{name}", False)
    task = make(TrainRemote)
    with pytest.raises(UserError, match="needs the client of Kubernetes: pip"):
        task.run_remotely(task.submission(), "train")
