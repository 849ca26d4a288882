"""Mistakes in configurations: each is named with its place."""

import pytest
from conventions.errors import UserError

from aframe import validation
from aframe.validation import ConfigFile, suggest

MISTAKES = {
    "key of a task": (
        "[luigi_TrainLocal]\nhighpas = 40\n",
        r"unknown key highpas in \[luigi_TrainLocal\] of .*test.cfg; "
        "did you mean highpass",
    ),
    "section of a task": (
        "[luigi_TrainLocl]\nhighpass = 40\n",
        r"unknown section \[luigi_TrainLocl\] of .*test.cfg; "
        "did you mean luigi_TrainLocal",
    ),
    "section without prefix": (
        "[FetchTrain]\nstart = 40\n",
        r"unknown section \[FetchTrain\]",
    ),
    "shared key": (
        "[luigi_base]\nhighpas = 40\n",
        r"unknown key highpas in \[luigi_base\] of .*test.cfg: no task "
        "refers to it; did you mean highpass",
    ),
    "reference to no key": (
        "[luigi_TrainLocal]\nhighpass = &::luigi_base::highpas\n",
        r"highpass in \[luigi_TrainLocal\] of .*test.cfg refers to highpas "
        r"of \[luigi_base\], which is not there; did you mean highpass",
    ),
    "reference to no section": (
        "[luigi_TrainLocal]\nhighpass = &::luigi_bas::highpass\n",
        r"refers to highpass of \[luigi_bas\]",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_the_file_are_named(write_config, mistake):
    content, message = MISTAKES[mistake]
    with pytest.raises(UserError, match=message):
        validation.check(write_config(content))


@pytest.mark.parametrize("name", ["base.cfg", "bbh.cfg", "demo.cfg"])
def test_shipped_files_are_valid(configs, name):
    validation.check(configs / name)


def test_a_value_comes_from_the_file_that_has_it_last(write_config, configs):
    path = write_config("[luigi_base]\nhighpass = 40\n")
    content = ConfigFile.read(path)
    assert content.values["luigi_base"]["highpass"] == "40"
    assert content.origins["luigi_base", "highpass"] == path
    origin = content.origins["luigi_base", "lowpass"]
    assert origin.resolve() == configs / "base.cfg"


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no configuration file .*no\.cfg"):
        ConfigFile.read(tmp_path / "no.cfg")
    broken = tmp_path / "broken.cfg"
    broken.write_text("key without section = 1\n")
    with pytest.raises(UserError, match=r"broken\.cfg"):
        ConfigFile.read(broken)


def test_misspelt_variables_are_named(monkeypatch, configs):
    monkeypatch.setenv("AFRAME_RESULT_DIR", "/somewhere")
    with pytest.raises(UserError, match="did you mean AFRAME_RESULTS_DIR"):
        validation.check(configs / "demo.cfg")
    monkeypatch.delenv("AFRAME_RESULT_DIR")
    monkeypatch.setenv("AFRAME_MY_OWN", "1")
    validation.check(configs / "demo.cfg")


def test_the_first_task_refuses_a_file_that_is_not_there(monkeypatch):
    monkeypatch.setenv("LAW_CONFIG_FILE", "/nowhere/no.cfg")
    validation.check_once.cache_clear()
    with pytest.raises(UserError, match="LAW_CONFIG_FILE: there is no /now"):
        validation.check_once()


def test_suggestions_are_close_or_none():
    assert suggest("highpas", ["lowpass", "highpass"]) == (
        "; did you mean highpass?"
    )
    assert suggest("xyz", ["lowpass", "highpass"]) == ""


def message_of(result):
    output = result.stdout + result.stderr
    assert result.returncode
    assert "Traceback" not in output, output
    assert len(output.strip().splitlines()) <= 4, output
    return output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[luigi_TrainLocal]\nhighpas = 40\n", "did you mean highpass"),
        ("[luigi_base]\nhighpass = forty\n", "'forty' is not a number"),
        ("[luigi_FetchTest]\nsource = moon\n", "moon"),
        (
            "[luigi_FetchTest]\nworkflow = pbs\n",
            "workflow: 'pbs' is not accepted, only local, htcondor, slurm",
        ),
    ],
)
def test_law_run_ends_in_a_message(law, write_config, content, message):
    config = str(write_config(content))
    result = law("aframe.TrainLocal", LAW_CONFIG_FILE=config)
    assert message in message_of(result)


def test_a_missing_parameter_is_named(law, tmp_path):
    (tmp_path / "empty.cfg").write_text("[luigi_core]\nlog_level = WARNING\n")
    result = law(
        "aframe.TrainLocal",
        "--local-scheduler",
        LAW_CONFIG_FILE=str(tmp_path / "empty.cfg"),
    )
    output = message_of(result)
    assert "TrainLocal has no value for" in output
    assert "kernel_length" in output
    assert "[luigi_TrainLocal]" in output


def test_a_wrong_argument_is_named(law):
    result = law("aframe.TrainLocal", "--highpass", "forty")
    assert "highpass: 'forty' is not a number" in message_of(result)


def test_an_unset_directory_is_named_before_anything_runs(law):
    result = law("aframe.FetchTest", AFRAME_TEST_BACKGROUND_DIR="")
    output = message_of(result)
    assert "AFRAME_TEST_BACKGROUND_DIR is not set" in output


def test_a_mistake_found_while_running_is_a_message(law, write_config):
    config = write_config('[luigi_base]\nifos = ["H1", "X1"]\n')
    result = law("aframe.Query", LAW_CONFIG_FILE=str(config))
    output = message_of(result)
    assert "X1" in output
