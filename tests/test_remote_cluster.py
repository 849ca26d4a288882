"""Clusters that do not answer, or refuse."""

import re

import pytest
from conventions.errors import UserError
from submissions import NAME, Running, ray_submission

from aframe.remote.api import Cluster, UnreachableError


@pytest.fixture
def run(api):
    """Runs a submission; what it said and showed."""
    return Running()


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
    assert not api.objects


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


def test_kuberay_may_not_be_there(api, run):
    api.fail("POST", "rayclusters", 404)
    with pytest.raises(UserError, match="has no KubeRay operator"):
        run(ray_submission())
    assert not api.objects


def test_cleaning_up_can_fail(api, run):
    api.fail("DELETE", "jobs", 403, message="cannot delete")
    run()
    assert run.said[-1].startswith("could not clean up: you may not delete")
    assert f"kubectl delete job {NAME}" in run.said[-1]
