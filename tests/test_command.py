"""Mistakes on which law itself would stop, or go on with another file."""

import sys
from pathlib import Path

import pytest


def output_of(result):
    assert result.returncode == 2
    output = result.stdout + result.stderr
    assert "Traceback" not in output, output
    assert len(output.strip().splitlines()) == 1, output
    return output


def test_a_reference_to_nothing_ends_in_a_message(law, write_config):
    path = write_config("[luigi_base]\nseed = &::luigi_base::nothing\n")
    result = law("aframe.Query", LAW_CONFIG_FILE=str(path))
    assert (
        f"seed in [luigi_base] of {path} refers to nothing of [luigi_base], "
        "which is not there"
    ) in output_of(result)


@pytest.mark.parametrize("name", ["no.cfg", "$HOME/no.cfg", "."])
def test_a_file_that_is_not_there_is_named(law, name):
    result = law("aframe.Query", LAW_CONFIG_FILE=name)
    assert f"LAW_CONFIG_FILE: there is no {name}" in output_of(result)


def test_the_command_is_that_of_this_package():
    script = Path(sys.executable).with_name("law").read_text()
    assert "aframe.command" in script
