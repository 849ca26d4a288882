"""Jobs on a cluster: the official client asks a server in this process."""

import re

import pytest
from conventions.errors import UserError
from kubernetes_server import ended, pod

from aframe.remote import status
from aframe.remote.api import Cluster, UnreachableError
from aframe.remote.jobs import JobFailedError, Run
from aframe.remote.pods import Pod, Resources
from aframe.remote.submission import Secret, Submission

NAME = "aframe-train-0123456789"
SECRET = "hunter2-hunter2"


def submission(**more):
    resources = Resources(cpus=8, memory="32G", gpus=1, min_gpu_memory=15000)
    pod = Pod("train", "image:1", resources, command=["true"])
    return Submission(
        NAME,
        pod.spec(),
        secrets=(Secret(f"{NAME}-s3", {"AWS_SECRET_ACCESS_KEY": SECRET}),),
        files={"train.yaml": "a: 1\n"},
        **more,
    )


@pytest.fixture
def run(api):
    """Runs a submission; what it said and showed."""

    class Running:
        said, shown = [], []

        def __call__(self, asked=None, patience=2.0, **more):
            self.said, self.shown = [], []
            cluster = Cluster.connect("", "", patience)
            Run(
                cluster,
                asked or submission(),
                "train",
                say=self.said.append,
                show=self.shown.append,
                poll_interval=0.01,
                **more,
            ).complete()

    return Running()


def nothing_is_left(api):
    return not api.objects


def test_a_job_runs_to_its_end(api, run):
    run()
    assert run.shown == ["one", "two", "three"]
    assert run.said == [f"submitted job {NAME}", "running", "succeeded"]
    assert nothing_is_left(api)
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
    assert nothing_is_left(api)


def test_a_mistake_of_the_user_is_one(api, run):
    api.life = [ended(2)]
    api.outcome = "Failed"
    with pytest.raises(UserError, match="its message is above"):
        run()
    assert nothing_is_left(api)


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
    assert nothing_is_left(api)


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


@pytest.mark.parametrize("code", [500, 503, 429])
@pytest.mark.parametrize("method", ["POST", "GET", "PATCH"])
def test_what_passes_is_asked_again(api, run, code, method):
    kind = "jobs"
    api.fail(method, kind, code)
    run()
    assert run.said[-1] == "succeeded"
    assert api.asked(method)[kind] >= 2


def test_a_cluster_that_does_not_answer_any_more(api, run):
    api.fail("GET", "pods", 500, times=100, message="etcd is away")
    with pytest.raises(UnreachableError, match="etcd is away") as caught:
        run(patience=0.1)
    assert "the same command finds it again" in str(caught.value)
    assert api.has("Job"), "it runs on"


def test_nobody_listens(api, run):
    text = api.kubeconfig.read_text()
    api.kubeconfig.write_text(re.sub(r"127.0.0.1:\d+", "127.0.0.1:1", text))
    with pytest.raises(UnreachableError, match="did not create Job"):
        run(patience=0.1)


def test_rights_that_are_missing_are_named(api, run):
    message = 'jobs.batch is forbidden: User "u" cannot create jobs'
    api.fail("POST", "jobs", 403, message=message)
    with pytest.raises(UserError, match=f"may not create Job.*{message}"):
        run()
    assert not api.asked("DELETE")


def test_rights_that_are_missing_later(api, run):
    api.fail("POST", "secrets", 403, message="cannot create secrets")
    with pytest.raises(UserError, match="may not create Secret"):
        run()
    assert nothing_is_left(api)


def test_a_login_that_has_expired(api, run):
    api.fail("POST", "jobs", 401, message="Unauthorized")
    with pytest.raises(UserError, match="does not know who asks"):
        run()


def test_a_manifest_that_is_refused(api, run):
    api.fail("POST", "jobs", 422, message="spec.x: Invalid value")
    with pytest.raises(UserError, match=r"422 .*spec\.x: Invalid value"):
        run()


def test_no_cluster_is_known(api, run):
    api.kubeconfig.unlink()
    with pytest.raises(UserError, match="KUBECONFIG names"):
        run()


def test_an_unknown_context(api):
    with pytest.raises(UserError, match="nowhere"):
        Cluster.connect("nowhere", "", 1)


def begun(api, asked, **more):
    """A job that an earlier call has submitted."""
    job = asked.job() | more
    job["metadata"]["uid"] = "earlier"
    job["spec"]["suspend"] = False
    api.objects[("Job", asked.name)] = job


def test_a_job_that_is_there_is_found_again(api, run):
    begun(api, submission())
    run()
    assert run.said[0] == f"found job {NAME}, which is there already"
    assert run.shown == api.log
    assert not api.asked("PATCH")
    [secret] = [
        r[3]
        for r in api.requests
        if r[:1] == ("POST",) and r[1]["kind"] == "secrets"
    ]
    assert secret["metadata"]["ownerReferences"][0]["uid"] == "earlier"
    assert nothing_is_left(api)


def test_a_job_that_was_never_begun_is_begun(api, run):
    begun(api, submission())
    api.objects[("Job", NAME)]["spec"]["suspend"] = True
    run()
    assert api.asked("PATCH") == {"jobs": 1}


def test_a_job_that_has_succeeded_in_the_meantime(api, run):
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    begun(api, submission(), status=done)
    run()
    assert run.shown == api.log
    assert run.said[-1] == "succeeded"


def test_a_job_that_has_failed_is_replaced(api, run):
    failed = {"conditions": [{"type": "Failed", "status": "True"}]}
    begun(api, submission(), status=failed)
    api.linger = 3
    run()
    assert f"removing {NAME}, which had ended before" in run.said
    assert f"waiting for the end of an earlier {NAME}" in run.said
    assert run.said[-1] == "succeeded"


def test_a_job_with_other_settings_that_has_ended_is_replaced(api, run):
    other = Submission(NAME, submission().pod, files={"x": "y"})
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    begun(api, other, status=done)
    run()
    assert f"removing {NAME}, which had ended before" in run.said
    assert run.said[-1] == "succeeded"


def test_secrets_of_an_earlier_job_are_not_taken_over(api, run):
    old = submission().belongings("gone")[0]
    old["metadata"]["uid"] = "old"
    api.objects[("Secret", old["metadata"]["name"])] = old
    run()
    made = [
        body["metadata"]["ownerReferences"][0]["uid"]
        for method, parts, _, body in api.requests
        if (method, parts["kind"]) == ("POST", "secrets")
    ]
    assert len(made) == 2
    assert api.asked("DELETE")["secrets"] == 2
    assert nothing_is_left(api)


def test_a_job_with_other_settings_is_left_alone(api, run):
    begun(api, Submission(NAME, submission().pod, files={"x": "y"}))
    with pytest.raises(UserError, match=f"kubectl delete job {NAME} -n phys"):
        run()
    assert api.has("Job")
    assert not api.asked("DELETE")


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


def ray_submission():
    spec = {"workerGroupSpecs": [{"replicas": 2}]}
    metadata = {"name": NAME}
    cluster = {"apiVersion": "ray.io/v1", "kind": "RayCluster"}
    return submission(ray=cluster | {"metadata": metadata, "spec": spec})


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
    assert nothing_is_left(api)


def test_kuberay_may_not_be_there(api, run):
    api.fail("POST", "rayclusters", 404)
    with pytest.raises(UserError, match="has no KubeRay operator"):
        run(ray_submission())
    assert nothing_is_left(api)


def test_cleaning_up_can_fail(api, run):
    api.fail("DELETE", "jobs", 403, message="cannot delete")
    run()
    assert run.said[-1].startswith("could not clean up: you may not delete")
    assert f"kubectl delete job {NAME}" in run.said[-1]


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
