"""Trainings on two devices: two processes on the CPU."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import h5py
import pytest
import torch
from train.cli import main
from train.data import SupervisedAframeDataset

SIGNALS = 3
PROBE = '''
"""Writes what each process sees, and breaks a batch of one if asked."""
import json, os
from lightning import Callback

class Probe(Callback):
    def __init__(self, directory: str, break_batch: bool = False):
        self.directory, self.break_batch = directory, break_batch
        self.seen = {"train": [], "valid": [], "writes": True}

    def on_train_batch_start(self, trainer, module, batch, index):
        if self.break_batch and trainer.global_rank == 1 and index == 1:
            batch[0][0, 0, 0] = float("nan")

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        self.seen["train"].append(float(batch[0].double().square().sum()))

    def on_validation_score(self, trainer, module, background, *rest):
        if not trainer.sanity_checking:
            self.seen["valid"].append([len(background), len(rest[0])])

    def on_fit_end(self, trainer, module):
        path = f"{self.directory}/probe-{trainer.global_rank}.json"
        with open(path, "w") as file:
            json.dump(self.seen, file)
'''


@pytest.fixture(scope="module")
def arguments(directories, tmp_path_factory, waveforms_writer, small_training):
    background, waveforms = directories
    mine = tmp_path_factory.mktemp("waveforms")
    name = "train_waveforms.hdf5"
    (mine / name).symlink_to(waveforms / name)
    waveforms_writer(mine / "val_waveforms.hdf5", SIGNALS, 5, ("h1", "l1"))
    changes = {"batches_per_epoch": 4, "valid_livetime": 100}
    return [
        *small_training(background, mine, max_epochs=2, **changes),
        "--model.metric.max_fpr=1.0",
    ]


def on_two(tmp_path, *arguments, probe=None, until=None):
    """Run the command on two devices; none of its processes stays.

    Where there is a file ``until``, all are killed once it is written.
    """
    (tmp_path / "probe.py").write_text(PROBE)
    callback = {
        "class_path": "probe.Probe",
        "init_args": {"directory": str(tmp_path), **(probe or {})},
    }
    command = [
        *(sys.executable, "-m", "train", *arguments),
        "--trainer.devices=2",
        "--trainer.strategy=ddp",
        f"--trainer.callbacks={json.dumps([callback])}",
    ]
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    process = subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        while until is not None and not until.exists():
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)
        if until is not None:
            os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=400)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output


def metrics(run):
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def whole(arguments, tmp_path_factory):
    """Directory of a training that nothing disturbs, and of its probes."""
    directory = tmp_path_factory.mktemp("whole")
    run = directory / "run"
    code, output = on_two(directory, "fit", *arguments, f"--run_dir={run}")
    assert code == 0, output
    return directory


def test_two_devices_score_as_one_does(whole, arguments, tmp_path, capfd):
    run = whole / "run"
    rows = metrics(run)
    expected = [r["valid_auroc"] for r in rows if r["valid_auroc"]][-1]
    seen = [
        json.loads((whole / f"probe-{rank}.json").read_text())
        for rank in (0, 1)
    ]

    # the same number of batches, whatever there is to share
    valid = [share["valid"] for share in seen]
    assert len(valid[0]) == len(valid[1])
    pieces = sum(noise > 0 for share in valid for noise, _ in share)
    assert pieces % 4 == 2  # an odd number in each epoch
    assert pieces > 2 * SIGNALS
    assert sum(count for share in valid for _, count in share) == 2 * SIGNALS

    # different data on each
    batches = [share["train"] for share in seen]
    assert len(batches[0]) == len(batches[1]) == 8
    assert len({*batches[0], *batches[1]}) == 16

    # the learning rate is that of two devices
    peak = max(float(row["lr-AdamW"]) for row in rows)
    assert peak == pytest.approx(2 * 2.0e-3, rel=1e-6)
    # and one process has written
    assert "model.pt" in {path.name for path in run.iterdir()}
    assert len(list(run.glob("*.ckpt"))) == 2

    # one device gives the same weights the same score
    capfd.readouterr()
    checkpoint = f"--ckpt_path={run / 'last.ckpt'}"
    main(["validate", *arguments, f"--run_dir={tmp_path}", checkpoint])
    [line] = [
        line
        for line in capfd.readouterr().out.splitlines()
        if "valid_auroc" in line
    ]
    score = float(line.strip(" │").split()[-1])
    assert score == pytest.approx(float(expected), abs=1e-6)
    assert 0 < score < 1


def test_a_killed_run_goes_on(whole, arguments, tmp_path):
    run = tmp_path / "run"
    command = "fit", *arguments, f"--run_dir={run}"
    on_two(tmp_path, *command, until=run / "last.ckpt")
    assert not (run / "manifest.json").exists()
    last = torch.load(run / "last.ckpt", weights_only=True)
    assert last["global_step"] == 4  # of the first epoch
    code, output = on_two(tmp_path, *command)
    assert code == 0, output

    # each device goes on where it was, with data that it had not seen
    for rank in (0, 1):
        name = f"probe-{rank}.json"
        found = json.loads((tmp_path / name).read_text())["train"]
        expected = json.loads((whole / name).read_text())["train"]
        assert found == pytest.approx(expected[4:])
    rows = metrics(run)
    expected = metrics(whole / "run")
    assert [row["step"] for row in rows] == [row["step"] for row in expected]
    for name in ("train_loss", "valid_auroc", "lr-AdamW"):
        for one, other in zip(rows, expected, strict=True):
            assert bool(one[name]) == bool(other[name])
            if other[name]:
                value = float(one[name])
                assert value == pytest.approx(float(other[name]), rel=1e-5)


def test_both_stop_when_one_has_a_loss_that_is_no_number(arguments, tmp_path):
    run = tmp_path / "run"
    code, output = on_two(
        tmp_path,
        "fit",
        *arguments,
        f"--run_dir={run}",
        probe={"break_batch": True},
    )
    assert code == 2, output
    assert "batch 1 of epoch 0 on device 1 is nan" in output
    assert "batch 1 of epoch 0 is not finite elsewhere" in output
    with h5py.File(run / "bad_batch-1.hdf5") as file:
        assert torch.isnan(torch.from_numpy(file["batch/0"][:])).sum() == 1
    assert not (run / "last.ckpt").exists()


def test_devices_have_streams_of_their_own(settings):
    first = []
    for rank in (0, 1):
        data = SupervisedAframeDataset(**settings)
        data.trainer = SimpleNamespace(global_rank=rank, world_size=2)
        data.setup()
        batch = data.train_set[0]
        X, y = data.training_batch(batch, 0)
        first.append((batch["X"], X, y))
    for one, other in zip(*first, strict=True):
        assert not torch.equal(one, other)
