"""Where tasks run, and what they hand on to each other."""

from typing import ClassVar

import luigi
import pytest
from conventions.errors import UserError

from aframe import config, targets
from aframe.base import AframeTask
from aframe.parameters import PathParameter
from aframe.tasks import (
    DeployInferLocal,
    ExportLocal,
    Infer,
    Query,
    SensitiveVolume,
    TestingWaveforms,
    TrainLocal,
    Vetos,
)


class ToyGroup:
    """Parameters that travel."""

    travels = True
    speed = luigi.IntParameter(default=1, description="m/s")


class ToyUpstream(ToyGroup, AframeTask):
    """Has its own size, and the speed of who requires it."""

    size = luigi.IntParameter(default=2)

    def output(self):
        return targets.FileTarget("/nowhere/upstream")

    def run(self):
        raise NotImplementedError


class ToyDownstream(ToyGroup, AframeTask):
    """Requires the other."""

    project = "toy"
    size = luigi.IntParameter(default=3)
    reqs: ClassVar = {"upstream": ToyUpstream}

    def output(self):
        return targets.FileTarget("/nowhere/downstream")

    def run(self):
        raise NotImplementedError


class Idle:
    """Is never run."""

    def run(self):
        raise NotImplementedError


class ToyPlaced(Idle, AframeTask):
    """Writes where a parameter says."""

    place = PathParameter(default=None)

    def output(self):
        return targets.FileTarget(self.place)


class ToyMiddle(Idle, AframeTask):
    """Requires it."""

    reqs: ClassVar = {"placed": ToyPlaced}

    def output(self):
        return targets.FileTarget("/nowhere/middle")


class ToyLast(Idle, AframeTask):
    """Reads a file that a parameter names; two tasks after the first."""

    config = PathParameter(default=None)
    reqs: ClassVar = {"middle": ToyMiddle}

    def output(self):
        return targets.FileTarget("/nowhere/last")


def test_only_groups_travel():
    task = ToyDownstream(speed=9, size=8, dev=True, gpus="1", image="x")
    upstream = task.requires()["upstream"]
    assert (upstream.speed, upstream.size) == (9, 2)
    assert (upstream.dev, upstream.gpus, upstream.image) == (True, "1", "")


def test_parameters_may_come_from_the_section_of_a_base(monkeypatch):
    class ToyDerived(ToyUpstream):
        """Configured as its base."""

        config_sections = ("ToyUpstream",)

    settings = luigi.configuration.get_config()
    for section in ("ToyUpstream", "ToyDerived"):
        settings.set(section, "speed", "1")
    settings.set("ToyUpstream", "size", "7")
    settings.set("ToyDerived", "speed", "5")
    task = ToyDerived()
    assert (task.speed, task.size) == (5, 7)
    assert ToyDerived(size=1).size == 1


def test_local_is_the_default(monkeypatch):
    monkeypatch.delenv("AFRAME_SANDBOX", raising=False)
    assert ToyDownstream(speed=2).is_sandboxed()


def test_apptainer_is_one_setting(monkeypatch, tmp_path):
    monkeypatch.setenv("AFRAME_CONTAINER_ROOT", str(tmp_path))
    task = ToyDownstream(speed=3, sandbox="apptainer")
    assert task.effective_sandbox == f"apptainer::{tmp_path}/toy.sif"
    assert not task.is_sandboxed()
    monkeypatch.setenv("AFRAME_SANDBOX", "apptainer")
    task = ToyDownstream(speed=4)
    assert task.effective_sandbox == f"apptainer::{tmp_path}/toy.sif"
    assert ToyUpstream(speed=4).is_sandboxed()  # has no project


@pytest.mark.parametrize("image", ["mine.sif", "/other/mine.sif"])
def test_a_given_image_is_never_replaced(monkeypatch, tmp_path, image):
    monkeypatch.setenv("AFRAME_CONTAINER_ROOT", str(tmp_path))
    task = ToyDownstream(image=image)
    assert task.image_path == tmp_path / image


def test_an_unknown_sandbox_is_named(monkeypatch):
    monkeypatch.setenv("AFRAME_SANDBOX", "docker")
    with pytest.raises(UserError, match=r"'docker' is unknown.*apptainer"):
        _ = ToyDownstream(speed=5).effective_sandbox


def test_development_code_comes_first():
    env = ToyDownstream(dev=True).sandbox_env({})
    places = env["PYTHONPATH"].split(":")
    assert places[0] == str(config.ROOT)
    assert str(config.ROOT / "projects" / "toy") in places
    assert str(config.ROOT / "libs" / "ledger") in places
    assert config.ROOT in ToyDownstream(dev=True).sandbox_directories()
    assert "PYTHONPATH" not in ToyDownstream(dev=False).sandbox_env({})


def test_a_container_sees_what_parameters_name(tmp_path):
    settings = luigi.configuration.get_config()
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("")
    settings.set("ToyPlaced", "place", str(tmp_path / "there/new/deep"))
    task = ToyLast(config=tmp_path / "file")
    found = task.sandbox_directories()
    assert {tmp_path, tmp_path / "there"} <= set(found)


def test_a_missing_image_is_an_error_when_running(law, tmp_path):
    environment = {
        "AFRAME_SANDBOX": "apptainer",
        "AFRAME_CONTAINER_ROOT": str(tmp_path / "images"),
    }
    listed = law("aframe.Query", "--print-status", "0", **environment)
    assert listed.returncode == 0
    assert "absent" in listed.stdout
    result = law("aframe.Query", **environment)
    assert result.returncode
    assert "Traceback" not in result.stderr
    assert f"{tmp_path}/images/datagen.sif" in result.stderr
    assert "build-containers datagen" in result.stderr


def test_the_graph_of_requirements():
    assert SensitiveVolume.reqs == {
        "injections": TestingWaveforms,
        "events": Infer,
        "vetos": Vetos,
    }
    assert Infer.reqs["segments"] is DeployInferLocal
    assert DeployInferLocal.reqs["repository"] is ExportLocal
    assert TrainLocal.project == "train"
    assert Query.reqs == {}
