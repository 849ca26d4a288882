import json
import os
import platform
import re
import subprocess
from importlib.metadata import version

import pytest

from aframe import init, provenance, validation


def run(*arguments):
    init.main(["offline", *map(str, arguments)])


SCRIPTS = {"demo": "demo.cfg", "sandbox": "bbh.cfg", "tune": "tune.cfg"}
OTHERS = {"environment.sh", "run.sh", "versions.json"}


def listing(directory, *arguments):
    """What run.sh says, started from elsewhere."""
    result = subprocess.run(
        [directory / "run.sh", *arguments],
        cwd=directory.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return result.stdout


@pytest.mark.parametrize("mode", sorted(init.MODES))
def test_writes_a_run_that_can_be_listed(tmp_path, mode):
    directory = tmp_path / "run's"
    run("--mode", mode, "-d", directory)
    names = {p.name for p in directory.iterdir()}
    assert names == {*init.MODES[mode], *OTHERS}
    assert os.access(directory / "run.sh", os.X_OK)
    validation.check(directory / SCRIPTS[mode])
    status = listing(directory, "--print-status", "1")
    assert f"{directory}/results/sensitive_volume" in status
    found = listing(directory, "--print-deps", "7")
    yaml = next(n for n in init.MODES[mode] if n.endswith(".yaml"))
    assert f"config={directory / yaml}" in found
    assert f"{'TuneTask' if mode == 'tune' else 'TrainLocal'}(" in found
    assert "Remote(" not in found
    assert sorted(tmp_path.iterdir()) == [directory]


@pytest.mark.parametrize("mode", sorted(init.MODES))
def test_a_run_in_object_storage_is_trained_elsewhere(
    tmp_path, mode, monkeypatch, s3
):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    directory = tmp_path / "run"
    bucket = "s3://no-such-bucket/run 1"
    run("--mode", mode, "--s3-bucket", bucket, "-d", directory)
    names = {p.name for p in directory.iterdir()}
    assert names == {*init.MODES[mode], *OTHERS, "remote.cfg"}
    config = (directory / "remote.cfg").read_text()
    assert f"inherit = {SCRIPTS[mode]}\n" in config
    assert f"endpoint_url = {s3.endpoint}\n" in config
    found = listing(directory, "--print-deps", "7")
    remote = "TuneRemote" if mode == "tune" else "TrainRemote"
    assert f"{remote}(" in found
    assert "TrainLocal(" not in found
    environment = (directory / "environment.sh").read_text()
    assert f"AFRAME_TRAIN_RUN_DIR='{bucket}/training'" in environment
    assert f"TRAIN_BACKGROUND_DIR='{bucket}/data/train/back" in environment
    assert 'AFRAME_RESULTS_DIR="$here/results"' in environment


@pytest.mark.parametrize("bucket", ["bucket", "/x", "gs://b", "s3://"])
def test_buckets_that_are_none(tmp_path, capsys, bucket):
    with pytest.raises(SystemExit) as caught:
        run("--mode", "demo", "--s3-bucket", bucket, "-d", tmp_path)
    assert caught.value.code == 2
    assert "s3://bucket" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_made_a_run_is_recorded(tmp_path):
    run("--mode", "demo", "-d", tmp_path)
    found = json.loads((tmp_path / "versions.json").read_text())
    assert found["packages"]["luigi"] == version("luigi")
    assert found["packages"]["aframe"] == version("aframe")
    assert found["python"] == platform.python_version()
    assert re.fullmatch("[0-9a-f]{40}", found["revision"])
    assert isinstance(found["modified"], bool)


def test_a_run_of_other_versions_is_not_overwritten(
    tmp_path, capsys, monkeypatch
):
    run("--mode", "demo", "-d", tmp_path)
    monkeypatch.setattr(provenance, "_git", lambda *arguments: None)
    with pytest.raises(SystemExit):
        run("--mode", "demo", "-d", tmp_path)
    assert "other versions of versions.json" in capsys.readouterr().err
    run("--mode", "demo", "-d", tmp_path, "--force")
    found = json.loads((tmp_path / "versions.json").read_text())
    assert found["revision"] is None


def test_the_script_names_a_wrong_reference(tmp_path):
    run("--mode", "demo", "-d", tmp_path)
    config = tmp_path / "demo.cfg"
    text = config.read_text().replace(
        "[luigi_TrainLocal]",
        "[luigi_TrainLocal]\nhighpass = &::luigi_base::hp",
    )
    config.write_text(text)
    result = subprocess.run(
        [tmp_path / "run.sh"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr.startswith("error: highpass in [luigi_TrainLocal]")


def test_the_same_again_changes_nothing(tmp_path):
    run("--mode", "demo", "-d", tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    run("--mode", "demo", "-d", tmp_path)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == before


def test_changed_files_are_kept_unless_forced(tmp_path, capsys):
    run("--mode", "demo", "-d", tmp_path)
    config = tmp_path / "demo.cfg"
    config.write_text("; mine\n")
    with pytest.raises(SystemExit) as caught:
        run("--mode", "demo", "-d", tmp_path)
    assert caught.value.code == 2
    assert "other versions of demo.cfg" in capsys.readouterr().err
    assert config.read_text() == "; mine\n"
    run("--mode", "demo", "-d", tmp_path, "--force")
    assert config.read_text() == (init.CONFIGS / "demo.cfg").read_text()


def test_a_space_in_the_path_is_refused_at_once(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        run("--mode", "demo", "-d", tmp_path / "a run" / "demo")
    assert caught.value.code == 2
    assert "a run/demo' has a space" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_unknown_modes_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run("--mode", "dem", "-d", tmp_path)
    assert "sandbox" in capsys.readouterr().err
