import csv

import pytest
import torch
from train import artifacts
from train.checkpoints import CompleteCheckpointIO, MovableCheckpoint
from train.logger import MetricsLogger
from train.run import RunDirectory, fingerprint


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_metrics_are_rows_by_step(tmp_path):
    logger = MetricsLogger(tmp_path)
    logger.log_metrics({"train_loss": 0.5}, 9)
    logger.log_metrics({"valid_auroc": 0.75}, 9)
    logger.log_metrics({"train_loss": 0.25}, 19)
    logger.save()
    first, second = rows(tmp_path / "metrics.csv")
    assert first == {"step": "9", "train_loss": "0.5", "valid_auroc": "0.75"}
    assert second == {"step": "19", "train_loss": "0.25", "valid_auroc": ""}


@pytest.mark.parametrize(("keep", "steps"), [(True, "0123"), (False, "23")])
def test_continued_metrics_replace_repeated_steps(tmp_path, keep, steps):
    logger = MetricsLogger(tmp_path)
    for step in range(3):
        logger.log_metrics({"loss": step}, step)
    logger.save()
    logger = MetricsLogger(tmp_path, keep=keep)
    for step in (2, 3):
        logger.log_metrics({"loss": 10 * step}, step)
    logger.finalize("success")
    found = rows(tmp_path / "metrics.csv")
    assert [row["step"] for row in found] == list(steps)
    assert [row["loss"] for row in found[-2:]] == ["20", "30"]


def test_fingerprint_sees_settings_and_files(tmp_path):
    path = tmp_path / "data.hdf5"
    path.write_text("one")
    digests = {
        fingerprint("a", [path]),
        fingerprint("b", [path]),
        fingerprint("a", [tmp_path / "missing.hdf5"]),
    }
    assert fingerprint("a", [path]) in digests
    path.write_text("longer")
    digests.add(fingerprint("a", [path]))
    assert len(digests) == 4


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.start("digest")
    return run


def test_only_an_unfinished_run_of_the_same_settings_goes_on(run):
    assert run.resumable("digest") is None
    last = run.path / "last.ckpt"
    last.touch()
    assert run.resumable("digest") == last
    assert run.resumable("other") is None
    run.manifest.touch()
    assert run.resumable("digest") is None


def test_start_keeps_what_goes_on_and_removes_what_does_not(run):
    names = "last.ckpt", "best.ckpt", "metrics.csv", "bad_batch-1.hdf5"
    for name in names:
        (run.path / name).touch()
    (run.path / "notes.txt").touch()
    (run.path / "plots").mkdir()
    run_id = run.run_id
    run.start("digest")
    assert (run.path / "last.ckpt").exists()
    assert run.run_id == run_id
    run.start("other")
    names = sorted(p.name for p in run.path.iterdir())
    assert names == ["notes.txt", "started.json"]
    assert run.run_id != run_id
    run.manifest.touch()
    run.start("other")
    assert not run.manifest.exists()


def test_the_best_score_moves_with_its_directory(tmp_path):
    def checkpoint(directory):
        return MovableCheckpoint(directory, "best", "valid_auroc", mode="max")

    old = checkpoint(tmp_path / "old")
    path = str(tmp_path / "old" / "best.ckpt")
    old.best_model_path = old.kth_best_model_path = path
    old.best_model_score = old.kth_value = torch.tensor(0.9)
    old.best_k_models = {path: torch.tensor(0.9)}
    new = checkpoint(tmp_path / "new")
    new.load_state_dict(old.state_dict())
    moved = str(tmp_path / "new" / "best.ckpt")
    assert new.best_model_path == new.kth_best_model_path == moved
    assert new.best_model_score == 0.9
    assert new.best_k_models == {moved: 0.9}


class Wandering(torch.nn.Module):
    """Answers by what Python decides, which a trace does not follow."""

    def forward(self, X):
        return X.sum(1) + (1.0 if len(X) > 2 else 0.0)


def test_a_trace_is_compared_with_its_network(tmp_path):
    X = torch.randn(5, 3)
    path = tmp_path / "model.pt"
    with pytest.raises(RuntimeError, match="the trace differs"):
        artifacts.trace(Wandering().eval(), [X], path)
    with pytest.raises(RuntimeError, match="evaluation mode"):
        artifacts.trace(torch.nn.Flatten(), [X], path)
    assert not path.exists()
    artifacts.trace(torch.nn.Linear(3, 1).eval(), [X], path)
    assert torch.jit.load(path)(X).shape == (5, 1)


class Payload:
    pass


def test_checkpoints_are_complete_and_hold_no_objects(tmp_path):
    io = CompleteCheckpointIO()
    path = tmp_path / "last.ckpt"
    io.save_checkpoint({"state_dict": {"a": torch.ones(2)}}, path)
    assert torch.equal(
        io.load_checkpoint(path)["state_dict"]["a"], torch.ones(2)
    )

    def explode(*args):
        raise RuntimeError("killed")

    broken = type("Broken", (), {"__reduce__": explode})()
    with pytest.raises(RuntimeError, match="killed"):
        io.save_checkpoint({"x": broken}, path)
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]
    assert io.load_checkpoint(path)
    io.save_checkpoint({"x": Payload()}, path)
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        io.load_checkpoint(path, weights_only=False)
