"""One trial, with a stand-in for the training, and what a search makes of
several."""

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from conventions.errors import UserError
from storage import listing, opened, upload
from train.tune import cli, mortal
from train.tune.search import PLACED, Search
from train.tune.settings import TuneSettings
from train.tune.trials import TrialDirectory


@pytest.fixture
def trial(need, tmp_path):
    """Makes a trial whose training is the given code."""
    reason = "there is no ray: the extra tune of train installs it"
    need("ray", find_spec("ray") is not None, reason)
    from train.tune.trainable import Training

    made = []

    def make(code, max_epochs=3):
        package = tmp_path / "work" / "train"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        text = textwrap.dedent(code)
        start = (
            "import os, sys, time, pathlib; run = pathlib.Path(sys.argv[5])"
        )
        (package / "__main__.py").write_text(f"{start}\n{text}")
        (tmp_path / "run").mkdir()
        made.append(
            Training(
                {
                    "trial": {
                        "directory": str(tmp_path / "run"),
                        "working_directory": str(package.parent),
                        "max_epochs": max_epochs,
                    }
                }
            )
        )
        return made[-1], TrialDirectory(tmp_path / "run")

    yield make
    for one in made:
        one.cleanup()


WRITE = """
assert (sys.argv[1], sys.argv[4]) == ("fit", "--run_dir"), sys.argv
def write(epochs):
    rows = [f"{i},{i},,{0.5 + i / 10}\\n{i},{i},0.1," for i in range(epochs)]
    text = "step,epoch,train_loss,valid_auroc\\n" + "\\n".join(rows)
    (run / "new").write_text(text + "\\n")
    (run / "new").rename(run / "metrics.csv")
"""


def test_scores_are_reported_and_the_last_at_the_end(trial):
    training, directory = trial(
        f"{WRITE}\nfor i in (1, 2, 3): write(i); time.sleep(0.8)\n"
        "(run / 'manifest.json').touch()"
    )
    found = [training.step() for _ in range(3)]
    assert [(r["epoch"], r["valid_auroc"]) for r in found] == [
        (1, 0.5),
        (2, 0.6),
        (3, 0.7),
    ]
    assert [r.get("done", False) for r in found] == [False, False, True]
    record = directory.record()
    assert record["outcome"] == "finished"
    assert 2.4 < record["ended"] - record["started"] < 60
    assert directory.score() == 0.7


def test_a_trial_that_has_finished_is_not_trained_again(trial):
    training, directory = trial("(run / 'manifest.json').touch()")
    training.step()
    before = directory.manifest.stat().st_mtime_ns
    training.setup(training.config)
    assert training.step()["outcome"] == "finished"
    assert directory.manifest.stat().st_mtime_ns == before


def test_a_training_that_fails_has_no_score(trial):
    training, directory = trial(
        f"{WRITE}\nwrite(1)\nsys.exit('error: the loss is nan\\nsee there')"
    )
    results = [training.step()]
    if not results[0].get("done"):
        results.append(training.step())
    last = results[-1]
    assert (last["done"], last["outcome"]) == (True, "failed")
    assert math.isnan(last["valid_auroc"])
    assert directory.record()["outcome"] == "failed"
    assert directory.message() == "error: the loss is nan\nsee there"


def test_a_trial_that_is_stopped_ends_its_training(trial):
    training, directory = trial(f"{WRITE}\nwrite(1)\ntime.sleep(100)")
    training.step()
    pid = training._process.pid
    training.cleanup()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert directory.record()["outcome"] == "stopped"


def test_a_command_dies_with_the_process_that_started_it(tmp_path):
    code = (
        "import os, subprocess, sys, time\n"
        f"command = [sys.executable, {mortal.__file__!r}, str(os.getpid()), "
        "sys.executable, '-c', 'import time; print(1, flush=True); "
        "time.sleep(100)']\n"
        "child = subprocess.Popen(command, stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(100)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE
    )
    with parent:
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        path = Path(f"/proc/{pid}/stat")
        if not path.exists() or path.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("it lives")


def test_a_command_whose_parent_has_died_does_not_begin(tmp_path):
    mark = tmp_path / "mark"
    command = [sys.executable, mortal.__file__, "1", "/bin/touch", str(mark)]
    assert subprocess.run(command, check=False).returncode == 0
    assert not mark.exists()


@pytest.fixture
def search(tmp_path):
    """A search of three trials, of which none has begun."""
    settings = TuneSettings(
        name="night",
        storage_dir=tmp_path,
        space={"model.rate": {"choice": [1, 2, 3]}},
        num_samples=3,
    )
    training = {
        "data": {"init_args": {}},
        "model": {"init_args": {"rate": 0}},
        "trainer": {"max_epochs": 2, "devices": "auto"},
        "wandb": {"project": "p", "name": "x", "group": None},
    }
    samples = [{"model.rate": rate} for rate in (1, 2, 3)]
    return Search(settings, training, samples)


def go_through(search, number, outcome, scores):
    trial = search.trial(number)
    trial.path.mkdir(parents=True, exist_ok=True)
    trial.begin()
    for name in PLACED:
        (trial.path / name).write_text(f"{name} {number}")
    rows = [f"{i},{i},{score}" for i, score in enumerate(scores)]
    text = "\n".join(["step,epoch,valid_auroc", *rows])
    (trial.path / "metrics.csv").write_text(text)
    if outcome == "finished":
        trial.manifest.write_text(f"manifest {number}")
    trial.end(outcome)


def test_each_trial_has_its_own_run_of_the_searchs_group(search):
    found = search.trial_configuration(1)
    assert found["wandb"] == {
        "project": "p",
        "name": "night-001",
        "group": "night",
    }
    assert found["trainer"]["devices"] == 1
    assert found["model"]["init_args"]["rate"] == 2


def test_the_best_is_one_that_was_trained_to_its_end(search, tmp_path):
    go_through(search, 0, "finished", [0.5, 0.7])
    go_through(search, 1, "stopped", [0.9])
    go_through(search, 2, "finished", [0.8, 0.6])
    assert search.best() == 2
    run_dir = tmp_path / "training"
    run_dir.mkdir()
    for name in ("manifest.json", "model.pt", "bad_batch.hdf5"):
        (run_dir / name).write_text("of an earlier run")
    assert not search.is_placed(run_dir)
    search.place(run_dir, 2)
    assert search.is_placed(run_dir)
    assert (run_dir / "model.pt").read_text() == "model.pt 2"
    assert (run_dir / "manifest.json").read_text() == "manifest 2"
    assert not (run_dir / "bad_batch.hdf5").exists()
    rows = json.loads((run_dir / "search.json").read_text())["trials"]
    assert [row["outcome"] for row in rows] == [
        "finished",
        "stopped",
        "finished",
    ]
    assert [row["valid_auroc"] for row in rows] == [0.7, 0.9, 0.8]


def test_the_best_goes_to_a_store(
    search, tmp_path, s3_bucket, monkeypatch, capsys
):
    """Those of the search before are removed; the next call does nothing."""
    go_through(search, 0, "finished", [0.5])
    place = s3_bucket / "best"
    upload(__file__, place / "bad_batch.hdf5")
    monkeypatch.setattr(cli, "prepare", lambda arguments: (search, place))
    monkeypatch.setattr(cli, "default_cache", lambda: tmp_path / "cache")
    runs = []
    monkeypatch.setattr(cli, "_run", runs.append)
    cli.main([])
    names = {file.name for file in listing(place, "*")}
    more = {"search.json", "manifest.json", "started.json"}
    assert names == {*PLACED} | more
    with opened(place / "model.pt") as file:
        assert file.read() == b"model.pt 0"
    assert f"{place} has the weights of trial-000" in capsys.readouterr().out
    cli.main([])
    assert "nothing to do" in capsys.readouterr().out
    assert len(runs) == 1


def test_a_search_without_any_says_why(search):
    for number in (0, 1):
        go_through(search, number, "failed", [])
        search.trial(number).log.write_text("...\nerror: no strain\n")
    with pytest.raises(UserError) as caught:
        search.best()
    assert "trial-000, trial-001: error: no strain" in str(caught.value)
    assert "trial-002: it never began" in str(caught.value)


def test_what_was_asked_is_compared(search):
    search.check()
    search.begin()
    search.check()
    search.training["model"]["init_args"]["rate"] = 5
    with pytest.raises(UserError, match=r"training\.model\.rate: 0 -> 5"):
        search.check()


def test_where_it_is_shown_does_not_matter(search):
    search.begin()
    search.training["wandb"] = None
    search.check()
    assert search.trial_configuration(0)["wandb"] is None
