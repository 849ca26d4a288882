"""Directories in a real object store."""

import csv
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from conventions.errors import UserError
from preprocessing.manifest import Manifest
from storage import cached, exists, listing, stat, upload
from train.cli import main
from train.data import SupervisedAframeDataset
from train.remote import Mirror


@pytest.fixture
def remote(directories, s3_bucket):
    """Both directories in the store."""
    places = []
    for directory in directories:
        places.append(s3_bucket / directory.name)
        for path in directory.iterdir():
            upload(path, places[-1] / path.name)
    upload(__file__, places[1] / "unrelated.hdf5")
    return places


def test_data_are_read_from_copies(settings, remote, tmp_path):
    background, waveforms = remote
    local = SupervisedAframeDataset(**settings)
    local.setup()
    there = SupervisedAframeDataset(
        **settings
        | {
            "background_dir": str(background),
            "waveforms_dir": str(waveforms),
            "cache_dir": str(tmp_path),
        }
    )
    there.setup()
    one, other = local.train_set[3], there.train_set[3]
    assert torch.equal(one["X"], other["X"])
    polarizations = [b["drawn"]["polarizations"] for b in (one, other)]
    assert torch.equal(*polarizations)
    copies = sorted(path.name for path in tmp_path.rglob("*.hdf5"))
    names = [file.name for file in there.files.listing()]
    assert copies == sorted(names)
    assert len(names) == 4
    # what is there already is not read again
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.hdf5")}
    there.setup()
    assert times == {p: p.stat().st_mtime_ns for p in times}


def test_what_is_not_there_is_named(settings, s3_bucket, tmp_path):
    place = s3_bucket / "nothing"
    change = {"background_dir": str(place), "cache_dir": str(tmp_path)}
    data = SupervisedAframeDataset(**settings | change)
    with pytest.raises(UserError, match=r"nothing .* no files background"):
        data.setup()


@pytest.fixture
def mirror(s3_bucket, tmp_path):
    mirror = Mirror(s3_bucket / "run", tmp_path / "node")
    mirror.fetch()
    return mirror


def test_a_mirror_uploads_what_has_changed(mirror, tmp_path, monkeypatch):
    sent = []

    def note(path, place):
        sent.append(path.name)
        return upload(path, place)

    monkeypatch.setattr("train.remote.upload", note)
    names = ("manifest.json", "last.ckpt", "best.ckpt", "plots/a.png")
    for name in (*names, "wandb/run", ".hidden"):
        path = mirror.scratch / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    mirror.push()
    assert sent == ["a.png", "best.ckpt", "last.ckpt", "manifest.json"]
    mirror.push()
    assert len(sent) == 4
    (mirror.scratch / "last.ckpt").write_text("the next epoch")
    mirror.push()
    assert sent[4:] == ["last.ckpt"]

    # another machine begins with what a run is continued from
    other = Mirror(mirror.place, tmp_path / "other")
    other.fetch()
    found = sorted(p.name for p in other.scratch.iterdir())
    assert found == ["best.ckpt", "last.ckpt", "manifest.json"]
    assert (other.scratch / "last.ckpt").read_text() == "the next epoch"
    other.push()
    assert len(sent) == 5

    other.clear()
    assert not listing(mirror.place, "*")
    assert not listing(mirror.place / "plots", "*")


def metrics(path):
    with path.open(newline="") as file:
        return [
            (row["step"], row["train_loss"], row["valid_auroc"])
            for row in csv.DictReader(file)
        ]


def test_a_killed_run_goes_on_elsewhere(
    arguments, remote, s3_bucket, tmp_path
):
    place = s3_bucket / "run"
    whole = tmp_path / "whole"
    main([*arguments, f"--run_dir={whole}"])
    in_store = [
        *arguments,
        f"--data.background_dir={remote[0]}",
        f"--data.waveforms_dir={remote[1]}",
        f"--run_dir={place}",
    ]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "train", *in_store),
            f"--data.cache_dir={tmp_path / 'node'}",
        ],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not exists(place / "last.ckpt"):
            assert process.poll() is None, "ended before a checkpoint"
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not exists(place / "manifest.json")
    first = cached(place / "last.ckpt", tmp_path)
    assert torch.load(first, weights_only=True)["epoch"] < 2
    run_id = stat(place / "started.json").etag

    # another machine, which has nothing of this one
    main([*in_store, f"--data.cache_dir={tmp_path / 'other'}"])
    assert stat(place / "started.json").etag == run_id
    files = {
        path.name: cached(path, tmp_path / "result")
        for path in listing(place, "*")
    }
    assert Manifest.read(files["manifest.json"])
    assert {"model.pt", "batch.hdf5", "config.yaml"} <= files.keys()
    assert listing(place / "plots", "*.png")
    assert len(metrics(files["metrics.csv"])) == 6
    assert metrics(files["metrics.csv"]) == metrics(whole / "metrics.csv")
    # the last weights, and the best, which only the old machine had
    for name in ("last.ckpt", "best.ckpt"):
        found, expected = (
            torch.load(path, weights_only=True)
            for path in (files[name], whole / name)
        )
        assert found["epoch"] == expected["epoch"]
        for key, tensor in expected["state_dict"].items():
            torch.testing.assert_close(found["state_dict"][key], tensor)

    # the store has the manifest last
    times = {name: stat(place / name).modified_ns for name in files}
    assert max(times, key=times.__getitem__) == "manifest.json"
