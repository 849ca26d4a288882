"""Jobs that an earlier run has submitted."""

import pytest
from conventions.errors import UserError
from submissions import NAME, Running, submission

from aframe.remote.submission import Submission


@pytest.fixture
def run(api):
    """Runs a submission; what it said and showed."""
    return Running()


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
    assert not api.objects


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
    assert not api.objects


def test_a_job_with_other_settings_is_left_alone(api, run):
    begun(api, Submission(NAME, submission().pod, files={"x": "y"}))
    with pytest.raises(UserError, match=f"kubectl delete job {NAME} -n phys"):
        run()
    assert api.has("Job")
    assert not api.asked("DELETE")
