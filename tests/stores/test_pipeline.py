"""The pipeline with all its directories in a real store."""

import json
import re

import h5py
from storage import cached, listing, remove, stat

SANDBOX = ("aframe.pipelines.sandbox.Sandbox", "--train-task", "TrainLocal")


def started(output):
    """Tasks that were started."""
    return re.findall(r"^aframe: (.*) started$", output, re.M)


def names(place, pattern="*"):
    return [path.name for path in listing(place, pattern)]


def test_the_whole_pipeline_is_in_a_store(stored, tmp_path):
    code, output = stored.law(*SANDBOX, "--workers", "2")
    assert code == 0, output
    assert len(started(output)) > 15
    bucket = stored.bucket
    background = bucket / "train" / "background"
    assert names(background) == [
        "background-1240579783-125.hdf5",
        "background-1240579908-125.hdf5",
        "segments.txt",
    ]
    waveforms = names(bucket / "train" / "waveforms")
    assert waveforms == ["train_waveforms.hdf5", "val_waveforms.hdf5"]
    assert names(bucket / "test" / "waveforms") == [
        "rejected-parameters.hdf5",
        "waveforms.hdf5",
    ]
    assert names(bucket / "results" / "infer") == [
        "0lag.hdf5",
        "background.hdf5",
        "foreground.hdf5",
        "livetime.hdf5",
        "settings.json",
    ]
    volume = bucket / "results" / "sensitive_volume"
    assert {"report.html", "summary.json"} < set(names(volume))
    assert str(volume / "report.html") in output
    for file in listing(background, "*"):
        assert stat(file).sha256, "it was uploaded by storage.upload"

    summary = json.loads(
        cached(volume / "summary.json", tmp_path / "cache").read_text()
    )
    assert summary["livetime"]["background"] >= 200
    events = cached(
        bucket / "results" / "infer" / "background.hdf5", tmp_path / "cache"
    )
    with h5py.File(events) as file:
        assert len(file["parameters/detection_statistic"]) > 0

    exported = stored.place / "model_repository" / "manifest.json"
    weights = stat(bucket / "training" / "model.pt")
    assert json.loads(exported.read_text())["weights_sha256"] == weights.sha256

    here = {
        path.relative_to(stored.place).parts[0]
        for path in stored.place.rglob("*")
        if path.suffix in (".hdf5", ".json", ".html", ".pt")
    }
    assert here == {"tmp", "cache", "model_repository"}
    on_the_way = stored.place / "tmp" / "uploads"
    assert not [p for p in on_the_way.rglob("*") if p.is_file()]
    assert not list((stored.place / "tmp").glob(".outputs*"))

    code, output = stored.law(*SANDBOX)
    assert code == 0, output
    assert "Nothing to do" in output
    assert started(output) == ["Sandbox"]

    (one,) = listing(bucket / "test" / "background", "background-1240580033-*")
    remove(one)
    code, output = stored.law("aframe.FetchTest")
    assert code == 0, output
    assert started(output) == ["FetchTest branch 0"]
    assert stat(one)

    assert not stored.seen
    written = [p for p in stored.place.rglob("*") if p.is_file()]
    for secret in stored.secrets:
        assert secret not in stored.log
        assert not [p for p in written if secret.encode() in p.read_bytes()]


def test_a_wrong_credential_is_a_message(stored):
    code, output = stored.law(
        "aframe.TrainingWaveforms", AWS_SECRET_ACCESS_KEY="whispered"
    )
    assert code
    assert "Traceback" not in output
    assert f"{stored.bucket}train/waveforms/train_waveforms.hdf5" in output
    assert "the store refused the credentials" in output
    assert "whispered" not in output


def test_results_in_a_store_need_a_repository_here(stored):
    text = stored.config.read_text()
    stored.config.write_text(text.replace("repository_directory", "; none"))
    code, output = stored.law("aframe.ExportLocal")
    assert code
    assert "Traceback" not in output
    assert "give a directory of this machine, where a server" in output
    assert started(output) == []


def test_the_endpoint_is_a_setting(stored):
    """The configuration's goes before the environment's."""
    endpoint = stored.environment.pop("AWS_ENDPOINT_URL")
    text = stored.config.read_text()
    stored.config.write_text(
        f"{text}\n[luigi_s3]\nendpoint_url = {endpoint}\n"
    )
    command = ("aframe.FetchTrain", "--print-status", "0")
    code, output = stored.law(*command, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert code == 0, output
    assert "absent" in output
