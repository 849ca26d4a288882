"""The benchmark of skill runs, at a size where its numbers mean nothing."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
from ledger.events import SECONDS_IN_YEAR, EventSet
from ledger.injections import InterferometerResponseSet

from conftest import ROOT

SCRIPT = ROOT / "benchmarks" / "skill.py"
TINY = (
    *("--train-seconds", "150", "--signals", "16"),
    *("--test-seconds", "250", "--slides", "18"),
    *("--injections", "3", "--snrs", "5", "200"),
)
TINY_TRAINING = (
    "--data.min_valid_duration=50",
    "--data.valid_livetime=8",
    "--data.batch_size=8",
    "--data.batches_per_epoch=2",
    "--trainer.max_epochs=1",
    "--model.arch.num_filters=2",
)


@pytest.fixture(scope="module")
def efficiency():
    path = SCRIPT.with_name("efficiency.py")
    spec = importlib.util.spec_from_file_location("efficiency", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["efficiency"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["efficiency"]


def test_one_command_trains_searches_and_tells(tmp_path):
    figure = tmp_path / "skill.png"
    command = [sys.executable, SCRIPT, tmp_path, *TINY, "--figure", figure]
    result = subprocess.run(
        [*command, "--", *TINY_TRAINING],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines[2:4]]
    assert [row[0] for row in rows] == ["5", "200"]
    assert [row[2] for row in rows] == ["3", "3"]
    assert rows[1][1] == "3"  # nobody misses that
    assert "processor time" in result.stdout
    assert 0 < figure.stat().st_size < 100_000
    assert sum(json.loads((tmp_path / "processor.json").read_text())) > 0

    table = InterferometerResponseSet.read(tmp_path / "injections.hdf5")
    measured = np.linalg.norm(table.ifo_snrs, axis=1)
    np.testing.assert_allclose(measured, table.snr, rtol=1e-9)
    assert sorted(table.snr) == [5.0] * 3 + [200.0] * 3


def test_numbers_of_a_search_in_closed_form(efficiency):
    allowed = 100
    noise = EventSet(
        detection_statistic=np.arange(1000.0),
        detection_time=np.arange(1000.0),
        shift=np.tile([0.0, 1.0], (1000, 1)),
        Tb=allowed / efficiency.FAR * SECONDS_IN_YEAR,
    )
    snrs = np.repeat([6.0, 7.0, 8.0], 200)
    share = np.tile(np.arange(200) / 200, 3)
    found = share < np.repeat([0.1, 0.4, 0.8], 200)
    one = efficiency.Skill(noise, snrs, np.where(found, 2000.0, -np.inf))
    assert one.threshold == pytest.approx(900, abs=1)
    assert [row[:3] for row in one.table()] == [
        (6.0, 20, 200),
        (7.0, 80, 200),
        (8.0, 160, 200),
    ]
    for _, count, total, low, high in one.table():
        assert low < count / total < high
    assert one.half(one.statistic, one.threshold) == pytest.approx(7.25)
    thresholds, halves = one.interval()
    # Poisson: 100 events are 100 +- 10, and events are one apart
    assert thresholds == pytest.approx([880, 920], abs=8)
    assert halves[0] < 7.25 < halves[1]
    assert 0.1 < halves[1] - halves[0] < 0.6
