"""What is submitted, against the API's published schemas."""

import copy

import jsonschema
import kubernetes_validate
import pytest
import yaml
from conventions.errors import UserError
from hypothesis import given, settings
from hypothesis import strategies as st

from aframe.remote import ray
from aframe.remote.pods import (
    FILES,
    GPU,
    GPU_MEMORY,
    Checkout,
    Pod,
    Resources,
    size,
)
from aframe.remote.submission import HIDDEN, Secret, Submission

VERSIONS = ("1.29", "1.37")
VALUE = "hunter2-hunter2"
CHECKOUT = Checkout(
    "git@example.org:x/aframe.git",
    "0123abc",
    secret="job-git",
    packages=("projects/train", "libs/ledger"),
)
RESOURCES = Resources(16, "64G", gpus=2, min_gpu_memory=15000, shm="16Gi")
TRAINING = Pod(
    "train",
    "registry.example.org/train:1",
    RESOURCES,
    command=["python", "-m", "train", "fit"],
    environment={"AWS_ENDPOINT_URL": "https://s3.example.org"},
    secrets={"job-s3": ["AWS_SECRET_ACCESS_KEY"], "job-wandb": ["KEY"]},
    files="job",
    checkout=CHECKOUT,
    claim=("shared", "/storage"),
    pull_secret="registry",
)
SECRETS = (
    Secret("job-s3", {"AWS_SECRET_ACCESS_KEY": VALUE}),
    Secret("job-git", {"ssh": VALUE, "known_hosts": "x"}),
)

RAY_CLUSTER = {"headGroupSpec", "workerGroupSpecs"}
RAY_HEAD = {"serviceType", "rayStartParams", "template"}
RAY_WORKERS = {
    *("groupName", "replicas", "minReplicas", "maxReplicas"),
    *("rayStartParams", "template"),
}
"""Fields of ray.io/v1 that are used, by the names of KubeRay's API reference.
No package carries the schema of its CRDs."""


def cluster():
    head = Pod("ray-head", "train:1", Resources(4, "16G"), ports=ray.PORTS)
    worker = Pod("ray-worker", "train:1", RESOURCES, files="job")
    return ray.cluster("job", head, worker, 3)


def submission(**more):
    files = {"train.yaml": "seed_everything: 1\n"}
    spec = TRAINING.spec()
    return Submission("job", spec, secrets=SECRETS, files=files, **more)


def validate(manifest):
    """Unknown fields are refused."""
    for version in VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_refuse_what_is_unknown():
    job = submission().job()
    validate(job)
    for path in (("spec", "x"), ("spec", "template", "spec", "x")):
        bad = copy.deepcopy(job)
        place = bad
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = 1
        with pytest.raises(jsonschema.ValidationError, match="'x' was unex"):
            validate(bad)


def test_all_manifests_are_valid():
    asked = submission(ray=cluster())
    job, *others = asked.job(), *asked.belongings("a-uid")
    validate(job)
    assert [other["kind"] for other in others] == [
        *("Secret", "Secret", "ConfigMap", "RayCluster"),
    ]
    for other in others[:-1]:
        validate(other)
    for found in others:
        [owner] = found["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Job", "a-uid")


@settings(deadline=None, max_examples=30)
@given(
    gpus=st.integers(0, 8),
    memory=st.integers(0, 10**6),
    shm=st.sampled_from(["", "1Gi"]),
    bare=st.booleans(),
)
def test_jobs_of_all_resources_are_valid(gpus, memory, shm, bare):
    resources = Resources(0.5, "48.5G", gpus, memory, shm)
    more = {} if bare else {"files": "job", "checkout": CHECKOUT}
    spec = Pod("train", "image", resources, **more).spec()
    validate(Submission("job", spec).job())


def test_a_ray_cluster_is_what_kuberay_reads():
    found = cluster()
    kind = (found["apiVersion"], found["kind"])
    assert kind == ("ray.io/v1", "RayCluster")
    spec = found["spec"]
    assert set(spec) == RAY_CLUSTER
    assert set(spec["headGroupSpec"]) == RAY_HEAD
    [workers] = spec["workerGroupSpecs"]
    assert set(workers) == RAY_WORKERS
    assert workers["replicas"] == workers["maxReplicas"] == 3
    for group in (spec["headGroupSpec"], workers):
        assert all(
            isinstance(v, str) for v in group["rayStartParams"].values()
        )
        pods = {"apiVersion": "v1", "kind": "PodTemplate"}
        validate(pods | {"template": group["template"]})
    assert ray.endpoint("job") == "job-head-svc:10001"


def test_a_pod_has_what_was_asked_for():
    spec = TRAINING.spec()
    [container] = spec["containers"]
    amounts = {"cpu": "16", "memory": "64G", GPU: "2"}
    assert container["resources"] == {"requests": amounts, "limits": amounts}
    [term] = spec["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": GPU_MEMORY, "operator": "Gt", "values": ["14999"]}
    ]
    shm = {"medium": "Memory", "sizeLimit": "16Gi"}
    assert {"name": "shm", "emptyDir": shm} in spec["volumes"]
    places = {m["mountPath"]: m["name"] for m in container["volumeMounts"]}
    assert places == {
        "/dev/shm": "shm",
        FILES: "files",
        "/storage": "storage",
        "/code": "code",
    }
    variables = [e for e in container["env"] if "valueFrom" in e]
    found = {e["name"]: e["valueFrom"]["secretKeyRef"] for e in variables}
    assert found == {
        "AWS_SECRET_ACCESS_KEY": {
            "name": "job-s3",
            "key": "AWS_SECRET_ACCESS_KEY",
        },
        "KEY": {"name": "job-wandb", "key": "KEY"},
    }
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert {m["name"] for m in container["volumeMounts"]} <= {
        volume["name"] for volume in spec["volumes"]
    }


def test_a_revision_is_fetched_with_the_key_and_run():
    spec = TRAINING.spec()
    [fetch] = spec["initContainers"]
    assert "--repo=git@example.org:x/aframe.git" in fetch["args"]
    assert "--ref=0123abc" in fetch["args"]
    assert "--one-time" in fetch["args"]
    assert "--ssh-key-file=/etc/git-secret/ssh" in fetch["args"]
    secret = {"secretName": "job-git", "defaultMode": 0o400}
    assert {"name": "git-secret", "secret": secret} in spec["volumes"]
    [container] = spec["containers"]
    environment = {e["name"]: e.get("value") for e in container["env"]}
    assert environment["PYTHONPATH"] == (
        "/code/git/aframe/projects/train:/code/git/aframe/libs/ledger"
    )
    assert not [m for m in container["volumeMounts"] if "secret" in m["name"]]


def test_a_public_repository_needs_no_key():
    found = Checkout("https://example.org/x.git", "main")
    assert not [a for a in found.container()["args"] if "ssh" in a]
    assert [volume["name"] for volume in found.volumes()] == ["code"]


def test_a_pod_without_gpus_goes_to_any_node():
    spec = Pod("train", "image", Resources(2, "8G")).spec()
    assert "affinity" not in spec
    assert GPU not in str(spec)


def test_the_text_has_all_but_the_secrets():
    text = submission(ray=cluster()).text()
    assert VALUE not in text
    found = list(yaml.safe_load_all(text))
    kinds = [manifest["kind"] for manifest in found]
    assert kinds == ["Job", "Secret", "Secret", "ConfigMap", "RayCluster"]
    assert found[1]["stringData"] == {"AWS_SECRET_ACCESS_KEY": HIDDEN}
    assert found[0] == submission(ray=cluster()).job()


def test_the_fingerprint_is_of_all_but_the_secrets():
    other = (Secret("job-s3", {"AWS_SECRET_ACCESS_KEY": "new"}),)
    spec = TRAINING.spec()
    same = Submission("job", spec, other, submission().files)
    assert same.fingerprint == submission().fingerprint
    assert Submission("job", spec).fingerprint != same.fingerprint
    assert submission(ray=cluster()).fingerprint != same.fingerprint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("500M", 5e8),
        ("1.5Gi", 1.5 * 2**30),
        ("2k", 2000),
        ("1Ki", 1024),
        ("3Ti", 3 * 2**40),
        ("1P", 1e15),
    ],
)
def test_amounts_are_read_as_kubernetes_does(text, expected):
    from kubernetes.utils.quantity import parse_quantity

    assert size("memory", text) == expected == float(parse_quantity(text))


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"memory": "4GB"}, "memory: '4GB' is no amount"),
        ({"shm": "x"}, "shm_size: 'x' is no amount"),
        ({"shm": "32G"}, "shm_size: 32G is part of the container's memory"),
        ({"cpus": 0}, "CPUs: 0 is not above 0"),
        ({"gpus": -1}, "GPUs: -1 "),
    ],
)
def test_impossible_resources(resources, message):
    with pytest.raises(UserError, match=message):
        Resources(**{"cpus": 1, "memory": "32G", **resources})
