import csv
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import h5py
import pytest
import torch
from preprocessing.manifest import Manifest, sha256
from train.cli import main

ROOT = Path(__file__).parents[3]
CONFIGS = [
    ROOT / "projects" / "train" / "configs" / "bbh.yaml",
    ROOT / "aframe" / "pipelines" / "sandbox" / "configs" / "demo.yaml",
]
OUTPUTS = [
    "batch.hdf5",
    "best.ckpt",
    "config.yaml",
    "last.ckpt",
    "manifest.json",
    "metrics.csv",
    "model.pt",
    "plots",
    "started.json",
    "val_batch.hdf5",
]


def train(arguments, run_dir, *more):
    main([*arguments, f"--run_dir={run_dir}", *more])


def metrics(run_dir):
    with (run_dir / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def weights(run_dir):
    return torch.load(run_dir / "last.ckpt", weights_only=True)["state_dict"]


def test_a_run_leaves_what_the_next_stage_needs(arguments, tmp_path):
    train(arguments, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == OUTPUTS
    manifest = Manifest.read(tmp_path / "manifest.json")
    assert manifest.preprocessing.ifos == ("H1", "L1")
    assert manifest.preprocessing.fftlength == 1.0
    assert manifest.inputs[0].shape == (2, 384)
    assert manifest.weights_sha256 == sha256(tmp_path / "model.pt")
    assert manifest.versions["torch"] == version("torch")
    assert manifest.git_revision is None or len(manifest.git_revision) == 40
    model = torch.jit.load(tmp_path / "model.pt")
    assert not model.training
    with h5py.File(tmp_path / "batch.hdf5") as file:
        assert model(torch.from_numpy(file["X"][:])).shape == (16,)
        assert set(file["y"][:]) <= {0, 1}
    with h5py.File(tmp_path / "val_batch.hdf5") as file:
        assert file["background"].shape[1:] == (16, 2, 384)
        assert file["foreground"].shape[1:] == (5, 2, 384)
    for name in ("best.ckpt", "last.ckpt"):
        torch.load(tmp_path / name, weights_only=True)
    last = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert last["global_step"] == 6
    rows = metrics(tmp_path)
    assert sum(row["valid_auroc"] != "" for row in rows) == 3
    assert [row["step"] for row in rows] == [str(i) for i in range(6)]
    assert "background_dir" in (tmp_path / "config.yaml").read_text()

    # the same seed trains the same network, whatever the workers
    other = tmp_path / "other"
    train(arguments, other, "--data.num_workers=1")
    for name, tensor in weights(tmp_path).items():
        torch.testing.assert_close(tensor, weights(other)[name])
    losses, again = (
        [float(row["train_loss"]) for row in metrics(run)]
        for run in (tmp_path, other)
    )
    assert again == pytest.approx(losses, rel=1e-5)


def test_a_killed_run_goes_on(arguments, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(arguments, whole)
    command = [sys.executable, "-m", "train", *arguments]
    more = [f"--run_dir={killed}", "--data.num_workers=1"]
    process = subprocess.Popen(
        [*command, *more],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (killed / "last.ckpt").exists():
            assert process.poll() is None, "ended before a checkpoint"
            time.sleep(0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (killed / "manifest.json").exists()
    epoch = torch.load(killed / "last.ckpt", weights_only=True)["epoch"]
    train(arguments, killed, "--data.num_workers=1")
    assert Manifest.read(killed / "manifest.json")
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(tensor, weights(killed)[name])
    expected, found = metrics(whole), metrics(killed)
    assert [r["step"] for r in found] == [r["step"] for r in expected]
    for one, other in zip(expected, found, strict=True):
        assert float(one["train_loss"]) == pytest.approx(
            float(other["train_loss"]), rel=1e-4
        )
    assert epoch < 3


def test_a_training_goes_on_without_a_server_of_wandb(
    arguments, tmp_path, monkeypatch
):
    pytest.importorskip("wandb")
    key = "0123456789abcdef" * 3
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "1")
    monkeypatch.setenv("WANDB_SILENT", "true")
    # registered here, so that what the training sets is undone
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    run = tmp_path / "run"
    more = "--trainer.max_epochs=1", "--wandb.group=night"
    with pytest.warns(UserWarning, match="W&B cannot be reached"):
        train(arguments, run, *more)
    assert (run / "manifest.json").is_file()
    assert list(run.glob("wandb/offline-run-*/*.wandb"))
    assert "night" in (run / "config.yaml").read_text()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes()
    # where it is shown does not decide what is trained
    (run / "manifest.json").unlink()
    train(arguments, run, "--trainer.max_epochs=1")
    assert len(metrics(run)) == 2


def test_other_settings_start_afresh(arguments, tmp_path):
    train(arguments, tmp_path, "--trainer.max_epochs=1")
    first = weights(tmp_path)
    (tmp_path / "manifest.json").unlink()  # as if it had been killed
    more = "--trainer.max_epochs=1", "--data.waveform_prob=0.9"
    train(arguments, tmp_path, *more)
    second = weights(tmp_path)
    assert len(metrics(tmp_path)) == 2
    assert any(not torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("--data.background_dir=/nowhere", "/nowhere is not a directory"),
        ("--data.sample_rate=512", "512 Hz in the configuration, 256 Hz in"),
        ("--data.right_pad=1.3", "kernel_length: 1.5 s is too short for"),
        ("--data.waveforms_dir=/nowhere", "no /nowhere/train_waveforms.hdf5"),
    ],
)
def test_mistakes_are_named(arguments, tmp_path, capsys, change, message):
    finished = tmp_path / "manifest.json"
    finished.write_text("of an earlier run")
    with pytest.raises(SystemExit) as caught:
        train(arguments, tmp_path, change)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert finished.exists()


@pytest.mark.parametrize(
    "change", ["--data.highpas=20", "--model.arch.chanels=3", "--rundir=x"]
)
def test_misspelt_keys_are_named(arguments, tmp_path, capsys, change):
    with pytest.raises(SystemExit) as caught:
        train(arguments, tmp_path, change)
    assert caught.value.code == 2
    key = change.removeprefix("--").split("=")[0].split(".")[-1]
    assert key in capsys.readouterr().err


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_parse(config, capsys):
    with pytest.raises(SystemExit) as caught:
        main(
            [
                "fit",
                f"--config={config}",
                "--run_dir=run",
                "--data.background_dir=background",
                "--data.waveforms_dir=waveforms",
                "--print_config",
            ]
        )
    assert caught.value.code == 0
    assert "train.metrics.TimeSlideAUROC" in capsys.readouterr().out
