"""The parameters of all tasks: frozen names, units, parsing."""

import json
import re
from pathlib import Path

import law as law_package
import luigi
import pytest
from conventions.errors import UserError
from storage import location

from aframe import config, parameters, tasks
from aframe.parameters import (
    LocalPathParameter,
    PathParameter,
    PathsParameter,
)
from aframe.pipelines import sandbox

SURFACE = Path(__file__).with_name("surface.json")
CLASSES = {
    name: getattr(module, name)
    for module in (tasks, sandbox)
    for name in module.__all__
}
LAWS_BASES = (
    law_package.Task,
    law_package.LocalWorkflow,
    law_package.htcondor.HTCondorWorkflow,
    law_package.slurm.SlurmWorkflow,
)
LAWS_OWN = {name for base in LAWS_BASES for name, _ in base.get_params()} - {
    *("workflow", "parallel_jobs", "retries", "cancel_jobs"),
    *("htcondor_pool", "htcondor_scheduler", "slurm_partition"),
}
UNITLESS = {
    *("snr_threshold", "cpus_per_gpu", "gpus_per_worker"),
    "reduction_factor",
}


def own_parameters(cls):
    return [(n, p) for n, p in cls.get_params() if n not in LAWS_OWN]


def surface():
    return {
        name: {
            key: str(param._default)
            for key, param in sorted(own_parameters(cls))
        }
        for name, cls in sorted(CLASSES.items())
    }


def test_command_line_surface_is_frozen():
    """Changes on purpose only: write surface() to surface.json."""
    assert surface() == json.loads(SURFACE.read_text())


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_parameters_are_described_with_units(name):
    for key, param in own_parameters(CLASSES[name]):
        assert param.description, key
        number = isinstance(
            param, luigi.FloatParameter | luigi.OptionalFloatParameter
        )
        if number and key not in UNITLESS:
            assert re.search(r"\b(s|Hz|year|GB)\b", param.description), key


def test_every_task_has_a_description():
    assert all(cls.__doc__ for cls in CLASSES.values())


def make(kind, **kwargs):
    param = getattr(parameters, kind)(**kwargs)
    param.__set_name__(object, "speed")
    return param


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("FloatParameter", "fast"),
        ("OptionalFloatParameter", "fast"),
        ("IntParameter", "1.5"),
        ("OptionalIntParameter", "1.5"),
        ("BoolParameter", "maybe"),
        ("ListParameter", "H1, L1"),
        ("ListParameter", '{"H1": 1}'),
        ("DictParameter", "H1"),
    ],
)
def test_wrong_values_name_the_parameter(kind, value):
    with pytest.raises(UserError, match=r"^speed: .* is not a|^speed"):
        make(kind).parse(value)


def test_choices_are_named():
    param = make("ChoiceParameter", choices=("slow", "fast"))
    with pytest.raises(UserError, match="'warp' is not one of fast, slow"):
        param.parse("warp")


def test_right_values_are_parsed():
    assert make("FloatParameter").parse("1.5") == 1.5
    assert make("OptionalFloatParameter").parse("") is None
    assert make("OptionalIntParameter").parse("3") == 3
    assert make("BoolParameter").parse("true") is True
    assert tuple(make("ListParameter").parse("[0, 1]")) == (0, 1)
    assert dict(make("DictParameter").parse('{"a": 1}')) == {"a": 1}


def named(param):
    param.__set_name__(object, "place")
    return param


def test_paths(monkeypatch, tmp_path):
    param = named(PathParameter())
    monkeypatch.chdir(tmp_path)
    assert param.parse("") is None
    assert param.parse("x") == tmp_path / "x"
    assert param.parse("/a/b") == Path("/a/b")
    assert param.parse("~/x") == Path.home() / "x"
    assert param.parse(param.serialize(None)) is None
    monkeypatch.setenv("SOME_PLACE", "/there")
    assert param.parse("$SOME_PLACE/x") == Path("/there/x")
    monkeypatch.setenv("SOME_PLACE", "")
    assert str(param.parse("${SOME_PLACE}/x")) == "${SOME_PLACE}/x"
    with pytest.raises(UserError, match="place: gs://bucket is neither a p"):
        param.parse("gs://bucket")


def test_paths_in_a_store(monkeypatch):
    param = named(PathParameter())
    monkeypatch.setenv("BUCKET", "mine")
    place = param.parse("s3://$BUCKET/a")
    assert place == location("s3://mine/a")
    assert param.normalize(place) == place
    assert param.parse(param.serialize(place)) == place
    monkeypatch.delenv("BUCKET")
    assert config.unset_variable(param.parse("s3://$BUCKET/a")) == "BUCKET"


def test_the_store_is_the_configurations(law, write_config):
    """A task that is asked for its parameters asks no store."""
    path = write_config(
        "[luigi_s3]\nendpoint_url = http://127.0.0.1:9\n"
        "[luigi_FetchTrain]\ndata_dir = s3://bucket/train\n"
    )
    command = ["aframe.FetchTrain", "--print-deps", "0"]
    done = law(*command, LAW_CONFIG_FILE=str(path))
    assert "data_dir=s3://bucket/train" in done.stdout


@pytest.mark.parametrize("place", ["s3://bucket/key", "gs://bucket/key"])
def test_some_paths_are_of_this_machine(place):
    param = named(LocalPathParameter())
    with pytest.raises(UserError, match=f"place: {place} is n.* this machine"):
        param.parse(place)
    assert param.parse("") is None
    assert param.parse("/a") == Path("/a")
    paths = named(PathsParameter())
    with pytest.raises(UserError, match=r"is n.* this machine"):
        paths.normalize({"H1": place})


def test_relative_paths_in_a_configuration_count_from_it(
    law, write_config, tmp_path
):
    path = write_config("[luigi_TrainLocal]\nconfig = mine.yaml\n")
    command = ["aframe.TrainLocal", "--print-deps", "0"]
    listed = law(*command, LAW_CONFIG_FILE=str(path)).stdout
    assert f"config={tmp_path / 'mine.yaml'}" in listed
    given = [*command, "--config", "mine.yaml"]
    listed = law(*given, LAW_CONFIG_FILE=str(path)).stdout
    assert f"config={Path.cwd() / 'mine.yaml'}" in listed
