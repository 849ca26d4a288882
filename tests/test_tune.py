"""The search of hyper-parameters in place of the training."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiny
import yaml

from aframe import init, targets
from aframe.tasks import TuneLocal, TuneTask
from aframe.tasks.tune import DEFAULT_SPACE

SETTINGS = {
    "ifos": ("H1", "L1"),
    "sample_rate": 1024.0,
    "kernel_length": 1.5,
    "fduration": 1.0,
}

SECTIONS = {
    "luigi_TuneTask": {
        "name": "night",
        "space": "space.yaml",
        "num_samples": 1,
        "cpus_per_gpu": 0.5,
    },
}


def test_the_graph_is_that_of_the_sandbox(law, configs):
    config = str(configs / "tune.cfg")
    found = {}
    for name in ("Sandbox", "Tune"):
        run = f"aframe.pipelines.sandbox.{name}"
        result = law(run, "--print-deps", "9", LAW_CONFIG_FILE=config)
        assert result.returncode == 0, result.stdout + result.stderr
        plain = re.sub(r"\x1b\[[\d;]*m", "", result.stdout)
        found[name] = re.findall(r"> (\w+)\(", plain)
    names = {"Sandbox": "Tune", "TrainLocal": "TuneTask"}
    expected = [
        names.get(name, name) for name in found["Sandbox"] if name != "Train"
    ]
    assert found["Tune"] == expected
    assert "TuneTask" in expected


def test_the_command_is_that_of_a_training_and_of_a_search(
    monkeypatch, tmp_path
):
    files = {"background": [targets.background(tmp_path, 0, 10)]}
    places = {"background_dir": tmp_path, "waveforms_dir": tmp_path}
    monkeypatch.setattr(TuneTask, "input", lambda self: files)
    monkeypatch.setattr(TuneTask, "directories", lambda self: places)
    task = TuneTask(
        **SETTINGS,
        run_dir=tmp_path / "training",
        num_samples=3,
        gpus_per_worker=0.5,
        endpoint="far:10001",
    )
    _, *command = task.command()
    assert command[:2] == ["-m", "train.tune"]
    assert f"--data.background_dir={tmp_path}" in command
    assert f"--tune.storage_dir={tmp_path / 'training'}" in command
    assert f"--tune.space={DEFAULT_SPACE}" in command
    assert "--tune.num_samples=3" in command
    assert "--tune.gpus_per_worker=0.5" in command
    assert "--tune.endpoint=far:10001" in command
    local = TuneLocal(**SETTINGS, run_dir=tmp_path)
    assert not [word for word in local.command() if "endpoint" in word]
    assert set(task.output()) > {"manifest", "weights", "batch", "search"}


@pytest.mark.parametrize("name", ["bbh.yaml"])
def test_the_shipped_space_is_one_of_the_shipped_training(name):
    from train.tune import configuration, space

    path = init.DEFAULT_YAML.with_name(name)
    directories = ["--data.background_dir=a", "--data.waveforms_dir=b"]
    training = configuration.effective([configuration.load(path)], directories)
    distributions = space.parse(configuration.load(DEFAULT_SPACE))
    for values in space.draw(distributions, 2, seed=0):
        configuration.effective([configuration.vary(training, values)], [])


@pytest.mark.timeout(900)
def test_a_search_is_exported_as_a_training_is(need, tmp_path):
    reason = "there is no ray: the extra tune of train installs it"
    need("ray", find_spec("ray") is not None, reason)
    init.write(tmp_path, init.contents("demo"), force=False)
    tiny.shrink_training(tmp_path / "demo.yaml")
    config = tiny.config("base.cfg", tiny.TRAINING, SECTIONS)
    (tmp_path / "demo.cfg").write_text(config)
    space = {"model.learning_rate": {"loguniform": [1e-4, 1e-3]}}
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
    law = Path(sys.executable).parent / "law"
    command = f"source environment.sh && exec {law} run aframe.ExportLocal"
    result = subprocess.run(
        ["bash", "-c", f"{command} --train-task TuneLocal"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if "AFRAME" not in k},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    training = tmp_path / "training"
    assert (tmp_path / "results/model_repository/manifest.json").is_file()
    summary = json.loads((training / "search.json").read_text())
    assert summary["name"] == "night"
    assert (training / "night" / "trial-000" / "manifest.json").is_file()
