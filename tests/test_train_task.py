"""The training's task: devices, and where a training is shown."""

import json
import subprocess
from types import SimpleNamespace

import luigi
import pytest

from aframe import forwarding, targets
from aframe.tasks import TrainLocal

SETTINGS = {
    "ifos": ("H1", "L1"),
    "sample_rate": 1024.0,
    "kernel_length": 1.5,
    "fduration": 1.0,
}
KEY = "0123456789abcdef"


@pytest.fixture
def section(monkeypatch):
    """Sets keys of [luigi_wandb]."""

    def write(**values):
        found = luigi.configuration.LuigiConfigParser()
        found.read_dict({"wandb": values})
        monkeypatch.setattr(
            luigi.configuration, "get_config", lambda *args: found
        )

    return write


def test_a_training_is_shown_only_if_asked(section):
    section(project="search")
    assert TrainLocal(**SETTINGS).outer_arguments() == []


def test_wandb_is_told_what_the_section_gives(section):
    section(project="search", tags="o3, demo", name="x", enabled="true")
    [argument] = TrainLocal(**SETTINGS).outer_arguments()
    option, value = argument.split("=", 1)
    assert option == "--wandb"
    assert json.loads(value) == {
        "project": "search",
        "name": "x",
        "tags": ["o3", "demo"],
    }


def test_wandb_needs_no_settings(section):
    section()
    task = TrainLocal(**SETTINGS, use_wandb=True)
    assert task.outer_arguments() == ["--wandb={}"]


def test_the_key_travels_in_the_environment_only(
    section, monkeypatch, tmp_path
):
    section(enabled="true")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_SECRET", "x")
    ran = []

    def run(command, env, check):
        ran.append((command, env))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    files = {"background": [targets.background(tmp_path, 0, 10)]}
    places = {"background_dir": tmp_path, "waveforms_dir": tmp_path}
    monkeypatch.setattr(TrainLocal, "input", lambda self: files)
    monkeypatch.setattr(TrainLocal, "directories", lambda self: places)
    task = TrainLocal(**SETTINGS, gpus="0, 2", run_dir=tmp_path)
    task.run()
    [(command, environment)] = ran
    assert KEY not in "".join(command)
    assert environment["WANDB_API_KEY"] == KEY
    assert environment["CUDA_VISIBLE_DEVICES"] == "0,2"
    assert "--trainer.devices=2" in command
    assert "--trainer.accelerator=gpu" in command
    forwarded = forwarding.environment()
    assert forwarded["WANDB_API_KEY"] == KEY
    assert "WANDB_SECRET" not in forwarded


def test_the_section_can_be_given_on_the_command_line(law):
    options = ["--use-wandb", "--print-deps", "0"]
    for name in ("name", "group", "project", "entity", "tags"):
        options += [f"--wandb-{name}", "x"]
    result = law("aframe.TrainLocal", *options)
    assert result.returncode == 0, result.stderr


def test_the_section_is_checked(law, write_config):
    path = write_config("[luigi_wandb]\napi_key = secret\n")
    result = law("aframe.TrainLocal", LAW_CONFIG_FILE=str(path))
    assert result.returncode != 0
    assert "unknown key api_key in [luigi_wandb]" in result.stderr
