"""How jobs on a cluster go; the official client asks a server that is here."""

import pytest
from conventions.errors import UserError
from kubernetes_server import ended, pod
from submissions import NAME, SECRET, Running, ray_submission, submission

from aframe.remote import status
from aframe.remote.api import Cluster
from aframe.remote.jobs import JobFailedError, Run


@pytest.fixture
def run(api):
    """Runs a submission; what it said and showed."""
    return Running()


def test_a_job_runs_to_its_end(api, run):
    run()
    assert run.shown == ["one", "two", "three"]
    assert run.said == [f"submitted job {NAME}", "running", "succeeded"]
    assert not api.objects
    created = [r for r in api.requests if r[0] == "POST"]
    assert {r[1]["namespace"] for r in created} == {"physics"}
    job, *others = [body for *_, body in created]
    assert job["spec"]["suspend"] is not None
    assert [other["kind"] for other in others] == ["Secret", "ConfigMap"]
    for other in others:
        [owner] = other["metadata"]["ownerReferences"]
        assert owner["uid"] == job["metadata"]["uid"]
    methods = [(r[0], r[1]["kind"]) for r in api.requests]
    assert methods.index(("PATCH", "jobs")) > methods.index(
        ("POST", "configmaps")
    )


def test_pending_is_told_in_words_once(api, run):
    message = "0/5 nodes are available: 3 Insufficient nvidia.com/gpu."
    scheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
    }
    unschedulable = {"phase": "Pending", "conditions": [scheduled]}
    api.warnings = ["exceeded quota: gpus"]
    api.life = [None, unschedulable, unschedulable, *api.life]
    run()
    assert run.said[1:4] == [
        "pending: no pod yet: exceeded quota: gpus",
        f"pending: unschedulable: {message}",
        "running",
    ]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (ended(1), "train ended with exit code 1"),
        (
            ended(137, "OOMKilled"),
            r"OOMKilled: train needed more memory than it was given \(32G\)",
        ),
        (ended(137), "exit code 137, killed"),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "disk full"},
            "Evicted: disk full",
        ),
    ],
)
def test_a_failure_has_its_reason_and_last_lines(api, run, state, reason):
    api.life = [{"phase": "Running"}, state]
    api.outcome = "Failed"
    api.log = [f"line {number}" for number in range(30)]
    with pytest.raises(JobFailedError, match=reason) as caught:
        run()
    assert "line 29" in str(caught.value)
    assert "line 9\n" not in str(caught.value)
    assert run.shown == api.log
    assert not api.objects


def test_a_mistake_of_the_user_is_one(api, run):
    api.life = [ended(2)]
    api.outcome = "Failed"
    with pytest.raises(UserError, match="its message is above"):
        run()
    assert not api.objects


def test_a_revision_that_cannot_be_fetched(api, run):
    bad = {
        "name": "git-sync",
        "image": "x",
        "imageID": "x",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": {"exitCode": 2, "reason": "Error"}},
    }
    api.life = [{"phase": "Failed", "initContainerStatuses": [bad]}]
    api.outcome = "Failed"
    with pytest.raises(JobFailedError, match="git-sync ended with exit code"):
        run()
    [log] = [parts for verb, parts, *_ in api.requests if verb == "LOG"]
    assert log["name"].startswith(NAME)


@pytest.mark.parametrize(
    ("reason", "patience"), [("InvalidImageName", 60), ("ErrImagePull", 0.05)]
)
def test_an_image_that_is_not_there(api, run, reason, patience):
    waiting = {"waiting": {"reason": reason, "message": "no such image"}}
    api.life = [{"phase": "Pending", "state": waiting}]
    api.outcome = None
    with pytest.raises(UserError, match=f"begin: {reason}: no such image"):
        run(stuck_seconds=patience)
    assert f"pending: {reason}: no such image" in run.said
    assert not api.objects


def test_an_image_that_comes_late(api, run):
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "busy"}}
    api.life = [{"phase": "Pending", "state": waiting}, *api.life]
    run()
    assert run.said[-1] == "succeeded"


@pytest.mark.parametrize("cut", [0, 40, 41, 75, 78, 110])
def test_a_log_that_is_lost_in_the_middle_goes_on(api, run, cut):
    api.log = [f"line {number}" for number in range(7)]
    api.cuts = [cut, cut + 60]
    api.life = [*[{"phase": "Running"}] * 3, {"phase": "Succeeded"}]
    run()
    assert run.shown == api.log


def test_a_pod_that_is_replaced(api, run):
    first = {"phase": "Running", "name": f"{NAME}-first"}
    second = {"phase": "Running", "name": f"{NAME}-second"}
    last = {"phase": "Succeeded", "name": f"{NAME}-second"}
    api.life = [first, None, second, last]
    run()
    assert run.shown == api.log * 2


def test_a_job_that_someone_removes(api, run):
    api.life = [{"phase": "Running"}] * 2
    api.outcome = None
    show = run.shown.append

    def remove(line):
        show(line)
        api.objects.pop(("Job", NAME), None)

    cluster = Cluster.connect("", "", 2.0)
    job = Run(cluster, submission(), "train", str, remove, 0.01)
    with pytest.raises(JobFailedError, match="removed by someone else"):
        job.complete()


def ray_pod(kind, ready):
    job = {
        "metadata": {"name": kind},
        "spec": {
            "template": {"spec": {"containers": [{"name": f"ray-{kind}"}]}}
        },
    }
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    found = pod(job, "Running" if ready else "Pending", name=kind)
    found["status"]["conditions"] = [condition]
    found["metadata"]["labels"] = {"ray.io/node-type": kind}
    return found


def test_a_search_begins_once_its_ray_cluster_is_ready(api, run):
    head, worker = ray_pod("head", True), ray_pod("worker", True)
    late = ray_pod("worker", False)
    api.ray_pods = [[], [head, late, late], [head, worker, worker]]
    run(ray_submission())
    assert run.said[1:4] == [
        "pending: the Ray cluster has no head yet",
        "pending: the Ray cluster has 0 of 2 workers ready; pending: its "
        "image is being fetched",
        "the Ray cluster is ready",
    ]
    assert run.said[-1] == "succeeded"
    assert not api.objects


def test_no_secret_is_shown(api, run):
    run()
    assert SECRET not in "".join([*run.said, *run.shown])
    assert SECRET not in repr(submission())
    assert SECRET not in submission().text()
    [secret] = [
        r[3]
        for r in api.requests
        if r[1]["kind"] == "secrets" and r[0] == "POST"
    ]
    assert secret["stringData"] == {"AWS_SECRET_ACCESS_KEY": SECRET}


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("Unknown", "unknown: its node does not answer"),
        ("Running", "running on n1"),
    ],
)
def test_other_words(phase, words):
    found = {"status": {"phase": phase}, "spec": {"nodeName": "n1"}}
    assert status.words(found) == words
