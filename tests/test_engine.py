"""The choice of what evaluates the network."""

import pytest
from conventions.errors import UserError
from export.network import PLATFORMS
from infer.direct import PRECISIONS

from aframe.tasks import DeployInferLocal, Infer, InferSegments
from aframe.tasks import engine as engines
from aframe.tasks import export as exports


def test_what_is_accepted_is_what_there_is():
    assert exports.PLATFORMS == PLATFORMS
    assert engines.PRECISIONS == PRECISIONS


@pytest.mark.parametrize("task", [DeployInferLocal, InferSegments])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"engine": "direct", "address": "here:8001"},
            "address: here:8001 is for engine = triton",
        ),
        ({"precision": "bf16"}, "precision: bf16 is for engine = direct"),
    ],
)
def test_settings_of_the_other_engine_are_refused(task, given, message):
    with pytest.raises(UserError, match=message):
        task(**given).check_engine()
    task(engine="direct", precision="bf16").check_engine()
    task(engine="triton", address="here:8001").check_engine()


@pytest.mark.parametrize(
    ("option", "accepted"),
    [("engine", "direct, triton"), ("precision", "bf16, fp16, fp32, tf32")],
)
def test_unknown_words_are_named(law, option, accepted):
    answer = law("aframe.Infer", f"--{option}", "fast", "--print-status", "0")
    assert answer.returncode
    assert "fast" in answer.stdout + answer.stderr
    assert accepted.split(", ")[0] in answer.stdout + answer.stderr


def test_the_engine_travels_to_the_segments():
    task = Infer(engine="direct", precision="bf16", slides_per_branch=3)
    segments = task.requires()["segments"].segments()
    assert segments.engine == "direct"
    assert segments.precision == "bf16"
    assert segments.slides_per_branch == 3


def test_the_log_is_known_of_a_server_that_is_started():
    own = DeployInferLocal(engine="triton").segments("127.0.0.1:8001")
    assert own.server_log.name == "server.log"
    other = DeployInferLocal(engine="triton", address="there:8001")
    assert other.segments("there:8001").server_log is None


@pytest.mark.parametrize(("gpus", "workers"), [("", 1), ("0", 1), ("0,1", 2)])
def test_each_gpu_is_a_worker(gpus, workers):
    assert DeployInferLocal(gpus=gpus).num_workers == workers


def test_no_server_names_the_alternatives(monkeypatch, tmp_path):
    monkeypatch.setenv("AFRAME_TRITON_ROOT", str(tmp_path / "none"))
    with pytest.raises(UserError) as caught:
        DeployInferLocal().triton_root()
    for hint in (str(tmp_path), "AFRAME_TRITON_ROOT", "engine = direct"):
        assert hint in str(caught.value)
    assert DeployInferLocal(triton_image=tmp_path / "x").triton_root() is None
