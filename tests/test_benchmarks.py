"""The benchmarks run, at a size where their numbers mean nothing."""

import subprocess
import sys

import pytest

from conftest import ROOT

FOLDER = ROOT / "benchmarks"


def run(*arguments, script="statistics.py"):
    command = [sys.executable, str(FOLDER / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_statistics_prints_a_row_for_each_operation():
    result = run("--scale", "1e-4")
    assert result.returncode == 0, result.stderr
    machine, _, *table = result.stdout.splitlines()
    assert "cores" in machine
    assert "GB of memory" in machine
    rows = [line.strip("| ").split(" | ") for line in table]
    assert {len(row) for row in rows[:1] + rows[2:]} == {7}
    assert len(rows) == 2 + 11
    for operation, _, seconds, _, memory, _, ratio in rows[2:]:
        assert float(seconds) < 5, operation
        assert 0 < float(memory) < 1, operation
        assert float(ratio) > 0, operation


def test_statistics_of_one_operation():
    result = run("--scale", "1e-4", "--only", "vetoes")
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 5
    assert "| vetoes |" in result.stdout


@pytest.mark.parametrize(
    "arguments", [["--only", "nothing"], ["--scale", "5"]]
)
def test_statistics_refuses(arguments):
    assert run(*arguments).returncode == 2


def test_training_is_compared_with_the_bare_network():
    small = "--batch-size=4", "--batches=2", "--repeats=1", "--workers=1"
    result = run("--configuration=demo", *small, script="training.py")
    assert result.returncode == 0, result.stderr
    rows = [
        line.strip("| ").split(" | ")
        for line in result.stdout.splitlines()
        if line.startswith("| demo")
    ]
    bare, loop = rows
    assert bare[0] == "demo: bare network, batches of 4"
    assert bare[2].split(" ")[0] == "1.00"
    rates, shares = loop[1:4], loop[4:]
    assert all(float(rate) > 0 for rate in rates)
    total = sum(float(share.removesuffix("%")) for share in shares)
    assert total == pytest.approx(100, abs=0.5)
