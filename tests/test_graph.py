"""The graph as a whole, without anything but the law layer."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import aframe
from aframe import tasks
from aframe.pipelines import sandbox

TASKS = [f"aframe.{name}" for name in tasks.__all__]
PIPELINES = [f"aframe.pipelines.sandbox.{name}" for name in sandbox.__all__]
NOT_IN_SANDBOX = {
    *("Infer", "SensitiveVolume", "InferSegments", "Vetos"),
    *("TrainRemote", "TuneLocal", "TuneRemote", "TuneTask"),
}
SCRIPT = Path(__file__).with_name("law_layer_only.py")


def run_law(commands, environment, cwd=None):
    """Run commands; return exit code and output of each."""
    result = subprocess.run(
        [sys.executable, SCRIPT],
        input="\n".join(commands),
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    parts = re.split(r"-----\n(\d+) .*\n", result.stdout)
    return list(zip(map(int, parts[1::2]), parts[::2], strict=False))


def listing(path):
    return {p for p in path.rglob("*") if ".law" not in p.parts}


def test_help_of_every_task_needs_the_law_layer_alone(run_environment):
    commands = [f"{name} --help" for name in TASKS + PIPELINES]
    answers = run_law(commands, run_environment)
    assert [code for code, _ in answers] == [0] * len(commands)
    for name, (_, text) in zip(TASKS + PIPELINES, answers, strict=True):
        assert f"--{name.rpartition('.')[2]}-" in text, name


@pytest.mark.parametrize("name", ["base.cfg", "bbh.cfg", "demo.cfg"])
def test_every_config_makes_the_whole_graph(run_environment, configs, name):
    environment = run_environment | {"LAW_CONFIG_FILE": str(configs / name)}
    run = "aframe.pipelines.sandbox.Sandbox"
    commands = [f"{run} --print-status 3", f"{run} --print-deps 9"]
    (code, status), (other, deps) = run_law(commands, environment)
    assert (code, other) == (0, 0), status + deps
    for task in tasks.__all__:
        if task not in NOT_IN_SANDBOX:
            assert f"> {task}(" in deps or f"{task}" in deps, task
    assert status.count("absent") > 10
    results = environment["AFRAME_RESULTS_DIR"]
    assert f"{results}/sensitive_volume/report.html" in status


def test_listing_touches_nothing(run_environment, tmp_path):
    run_law(
        ["aframe.pipelines.sandbox.Sandbox --print-status 9"], run_environment
    )
    assert listing(tmp_path) == set()


def test_listing_works_without_any_directory(run_environment, tmp_path):
    environment = {
        name: value
        for name, value in run_environment.items()
        if not name.startswith("AFRAME_")
    }
    run = "aframe.pipelines.sandbox.Sandbox --print-status 3"
    ((code, text),) = run_law([run], environment, cwd=tmp_path)
    assert code == 0, text
    assert "$AFRAME_RESULTS_DIR/sensitive_volume/summary.json" in text
    assert listing(tmp_path) == set()


def test_a_clone_lists_the_published_search(run_environment):
    environment = dict(run_environment)
    del environment["LAW_CONFIG_FILE"]
    run = "aframe.pipelines.sandbox.Sandbox --print-deps 9"
    root = Path(aframe.__file__).parents[1]
    ((code, text),) = run_law([run], environment, cwd=root)
    assert code == 0
    assert "Tb=31557600.0" in text
    assert "source=gwosc" in text


def test_index_finds_the_tasks(run_environment, tmp_path):
    root = Path(aframe.__file__).parents[1]
    environment = run_environment | {
        "LAW_INDEX_FILE": str(tmp_path / "index"),
        "LAW_CONFIG_FILE": str(root / "law.cfg"),
        "LAW__core__index_file": str(tmp_path / "index"),
    }
    law = Path(sys.executable).with_name("law")
    subprocess.run(
        [law, "index", "-q"], env=environment, cwd=tmp_path, check=True
    )
    found = (tmp_path / "index").read_text()
    for name in tasks.__all__:
        assert f":{name}:" in found
    assert "aframe.pipelines.sandbox.sandbox:Sandbox:" in found


def test_importing_is_without_side_effects(tmp_path):
    code = (
        "import os; before = dict(os.environ); import aframe.tasks, "
        "aframe.pipelines.sandbox; assert dict(os.environ) == before"
    )
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, check=True
    )
    assert list(tmp_path.iterdir()) == []


def test_unknown_names_are_not_tasks():
    with pytest.raises(AttributeError, match="NoSuchTask"):
        _ = aframe.NoSuchTask


def test_the_training_task_is_a_parameter(run_environment):
    run = "aframe.SensitiveVolume --train-task Query --print-deps 4"
    ((code, text),) = run_law([run], run_environment)
    assert code == 0
    assert "train_task=Query" in text
    assert "TrainLocal(" not in text


def test_a_task_is_the_same_from_wherever_it_is_required(run_environment):
    commands = [
        "aframe.SensitiveVolume --print-deps 9",
        "aframe.Infer --print-deps 9",
        "aframe.ExportLocal --print-deps 9",
    ]
    answers = run_law(commands, run_environment)
    plain = re.sub(r"\x1b\[[\d;]*m", "", "".join(t for _, t in answers))
    found = set(re.findall(r"> ((?:TrainLocal|FetchTest)\(.*\))", plain))
    families = [task.split("(")[0] for task in found]
    assert sorted(families) == ["FetchTest", "TrainLocal"]
