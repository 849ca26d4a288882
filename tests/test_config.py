import re
from pathlib import Path

import pytest
from conventions.errors import UserError

from aframe import config
from aframe.config import paths


@pytest.fixture
def no_variables(monkeypatch):
    for name in config.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_directories_are_read_when_asked(no_variables, tmp_path):
    assert paths().directory("results_dir") == Path("$AFRAME_RESULTS_DIR")
    no_variables.setenv("AFRAME_RESULTS_DIR", str(tmp_path))
    assert paths().directory("results_dir") == tmp_path
    no_variables.chdir(tmp_path)
    no_variables.setenv("AFRAME_RESULTS_DIR", "here")
    assert paths().directory("results_dir") == tmp_path / "here"
    given = paths(results_dir="/given")
    assert given.directory("results_dir") == Path("/given")


def test_directories_of_the_configuration_count_from_it(
    no_variables, tmp_path
):
    file = tmp_path / "run" / "demo.cfg"
    no_variables.setattr(config, "config_file", lambda: file)
    given = paths(results_dir="results")
    assert given.directory("results_dir") == tmp_path / "run" / "results"


@pytest.mark.parametrize("value", [None, ""])
def test_unset_is_never_the_current_directory(no_variables, value):
    if value is not None:
        no_variables.setenv("AFRAME_RESULTS_DIR", value)
    with pytest.raises(UserError, match="AFRAME_RESULTS_DIR is not set"):
        config.require_set(paths().directory("results_dir"))
    with pytest.raises(UserError, match="AFRAME_RESULTS_DIR is not set"):
        config.directory("AFRAME_RESULTS_DIR")


def test_every_directory_has_its_variable():
    assert {n for n, _ in paths.get_params()} == set(
        config.DIRECTORY_VARIABLES
    )


def test_sandbox_setting(no_variables):
    assert config.sandbox() == "local"
    no_variables.setenv("AFRAME_SANDBOX", "apptainer")
    assert config.sandbox() == "apptainer"


def test_a_missing_image_names_the_command(no_variables, tmp_path):
    with pytest.raises(UserError) as caught:
        config.require_image(tmp_path / "infer.sif")
    assert str(tmp_path / "infer.sif") in str(caught.value)
    assert f"build-containers infer --container-root {tmp_path}" in str(
        caught.value
    )


def test_an_image_that_nothing_builds_is_said_so(no_variables, tmp_path):
    message = "give one that is there, or .*sandbox = local"
    with pytest.raises(UserError, match=message) as caught:
        config.require_image(tmp_path / "mine.sif")
    assert "build-containers" not in str(caught.value)


def test_run_sh_is_named_for_what_it_sets_alone(no_variables):
    with pytest.raises(UserError, match=r"run\.sh"):
        config.directory("AFRAME_RESULTS_DIR")
    with pytest.raises(UserError, match="AFRAME_CONTAINER_ROOT") as caught:
        config.directory("AFRAME_CONTAINER_ROOT")
    assert "run.sh" not in str(caught.value)


def test_the_environment_is_read_in_one_place():
    package = Path(config.__file__).parent
    reads = re.compile(
        r"os\.environ|getenv\(|expandvars|import (environ|getenv)"
    )
    found = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if reads.search(path.read_text())
    ]
    assert found == ["config.py"]


def test_the_named_file_must_be_there(no_variables, tmp_path):
    no_variables.chdir(tmp_path)
    for value in (None, ""):
        if value is not None:
            no_variables.setenv("LAW_CONFIG_FILE", value)
        else:
            no_variables.delenv("LAW_CONFIG_FILE", raising=False)
        assert config.named_config_file() is None
    no_variables.setenv("PLACE", str(tmp_path))
    no_variables.setenv("LAW_CONFIG_FILE", "$PLACE/my.cfg")
    with pytest.raises(UserError, match=r"there is no \$PLACE/my\.cfg"):
        config.named_config_file()
    (tmp_path / "my.cfg").touch()
    assert config.named_config_file() == tmp_path / "my.cfg"
    no_variables.setenv("LAW_CONFIG_FILE", "my.cfg")
    assert config.named_config_file() == tmp_path / "my.cfg"


def test_triton_root(no_variables):
    assert config.triton_root() == config.ROOT / ".triton"
    no_variables.setenv("AFRAME_TRITON_ROOT", "/opt/triton")
    assert config.triton_root() == Path("/opt/triton")
