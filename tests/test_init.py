import os
import subprocess

import pytest

from aframe import init, validation


def run(*arguments):
    init.main(["offline", *map(str, arguments)])


@pytest.mark.parametrize("mode", sorted(init.MODES))
def test_writes_a_run_that_can_be_listed(tmp_path, mode):
    directory = tmp_path / "run's"
    run("--mode", mode, "-d", directory)
    assert {p.name for p in directory.iterdir()} == {
        *init.MODES[mode],
        "environment.sh",
        "run.sh",
    }
    script = directory / "run.sh"
    assert os.access(script, os.X_OK)
    config = "demo.cfg" if mode == "demo" else "bbh.cfg"
    validation.check(directory / config)
    result = subprocess.run(
        [script, "--print-status", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert f"{directory}/results/sensitive_volume" in result.stdout
    result = subprocess.run(
        [script, "--print-deps", "6"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    yaml = next(n for n in init.MODES[mode] if n.endswith(".yaml"))
    assert f"config={directory / yaml}" in result.stdout
    assert sorted(tmp_path.iterdir()) == [directory]


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
