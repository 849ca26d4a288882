"""The whole pipeline, tiny, on the real server: killed, run again, changed.

The tests of this module share one run and follow each other.
"""

import json
import re
import signal
import socket
import time

import h5py
import numpy as np
import pytest
from infer.server import serve
from whole_run import Run, processes_of, tables

from aframe.config import triton_root

DIRECT = ("--Infer-engine", "direct")


def in_a_container(task, image):
    """The sections that send a task there."""
    return {f"luigi_{task}": {"sandbox": "apptainer", "image": image}}


@pytest.fixture(scope="module")
def run(need, tmp_path_factory):
    """A run that was killed at four stages and then completed."""
    program = triton_root() / "pytriton/tritonserver/bin/tritonserver"
    reason = f"there is no {program}: scripts/install-triton installs it"
    need("triton", program.exists(), reason)
    run = Run(tmp_path_factory.mktemp("end-to-end"))
    fetched = "data/train/background/background-1240579783-250.hdf5"
    volume = "results/sensitive_volume"
    for stage, begun, ended in (
        ("FetchTrain branch 0", None, fetched),
        ("TrainLocal", "training/last.ckpt", "training/manifest.json"),
        ("InferSegments branch 1", None, "results/infer/background.hdf5"),
        (
            "SandboxSV",
            f"{volume}/sensitive_volume.hdf5",
            f"{volume}/summary.json",
        ),
    ):
        run.kill_during(stage, begun, ended)
    code, output = run.complete()
    assert code == 0, output
    return run


@pytest.fixture(scope="module")
def found_by_server(run):
    """The merged tables of the search through a server."""
    return tables(run.directory / "results" / "infer")


@pytest.mark.timeout(900)
def test_it_completes_after_kills(run, found_by_server):
    results = run.directory / "results"
    summary = json.loads(
        (results / "sensitive_volume" / "summary.json").read_text()
    )
    assert summary["livetime"]["background"] >= 600
    assert summary["counts"]
    assert len(found_by_server) > 20
    assert (results / "server.csv").read_text().count("aframe") > 1
    settings = json.loads((results / "infer" / "settings.json").read_text())
    assert settings["engine"] == "triton, python"
    output = run.log.read_text()
    assert f"report: {results}/sensitive_volume/report.html" in output
    assert "Nothing to do" not in output
    assert run.no_process_is_left()


def test_a_second_run_does_nothing_and_says_so(run):
    before = run.times()
    began = time.monotonic()
    code, output = run.complete()
    assert code == 0, output
    assert time.monotonic() - began < 60
    assert "Nothing to do: all outputs are up to date." in output
    assert run.started() == ["Sandbox"]
    assert run.times() == before


def test_a_deleted_output_costs_it_and_what_depends_on_it(run):
    before = run.times()
    lost = min(run.slides.glob("*/foreground.hdf5"))
    lost.unlink()
    code, output = run.complete()
    assert code == 0, output
    assert "InferSegments: engine triton at 127.0.0.1:" in output
    assert "bottleneck: " in output
    started = run.started()
    searched = [name for name in started if "InferSegments" in name]
    assert len(searched) == 1
    assert sorted(set(started) - set(searched)) == [
        *("DeployInferLocal", "Sandbox", "SandboxInfer", "SandboxSV"),
    ]
    after = run.times()
    changed = {path for path in after if after[path] != before.get(path)}
    allowed = ("results/infer", "results/sensitive_volume", "results/server")
    assert all(str(path).startswith(allowed) for path in changed)
    again = {p for p in changed if "branches" in p.parts}
    names = {"background.hdf5", "foreground.hdf5", "livetime.hdf5"}
    place = lost.parent.relative_to(run.directory)
    assert again == {place / name for name in names}


@pytest.mark.parametrize(
    ("key", "value", "trained"),
    [
        ("highpass", 40.0, 32.0),
        ("kernel_length", 1.0, 1.5),
        ("fduration", 2.0, 1.0),
    ],
)
def test_settings_that_the_network_was_not_trained_with(
    run, key, value, trained
):
    with run.changed({"luigi_base": {key: value}}):
        code, output = run.complete()
    assert code != 0
    assert "Traceback" not in output
    assert f"{key}: {trained}" in output
    assert str(value) in output
    assert str(run.config) in output


def test_a_port_in_use_is_named(run):
    with run.without_an_output(), socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, output = run.complete(f"--DeployInferLocal-grpc-port={port}")
    assert code != 0
    assert f"grpc_port: cannot listen on 127.0.0.1:{port}" in output
    assert "Traceback" not in output
    assert run.no_process_is_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_server_is_left_behind(run, number):
    for path in run.slides.glob("*/background.hdf5"):
        path.unlink()
    assert run.stop_at("aframe: InferSegments branch 0 started", number)
    assert run.no_process_is_left(), processes_of(run.directory)
    output = run.log.read_text()
    assert "interrupted; run again to continue" in output
    assert "Traceback" not in output
    assert run.started()[-1] == "InferSegments branch 0"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_without_a_server_an_interruption_leaves_nothing(run, number):
    for path in run.slides.glob("*/livetime.hdf5"):
        path.unlink()
    line = "InferSegments: engine direct on cpu"
    run.stop_at(line, number, arguments=DIRECT)
    assert run.no_process_is_left(), processes_of(run.directory)
    assert "Traceback" not in run.log.read_text()


def test_both_engines_find_the_same(run, found_by_server):
    results = run.directory / "results"
    served = (results / "server.log").stat().st_mtime_ns
    for path in run.slides.glob("*/background.hdf5"):
        path.unlink()
    code, output = run.complete(*DIRECT, "--Infer-return-timeseries")
    assert code == 0, output
    assert not [name for name in run.started() if "Train" in name]
    searched = [name for name in run.started() if "InferSegments" in name]
    assert output.count("InferSegments: engine direct on cpu") == len(searched)
    assert "engine triton" not in output
    assert "engine: direct, fp32" in output
    assert (results / "server.log").stat().st_mtime_ns == served
    after = tables(results / "infer")
    assert after.keys() == found_by_server.keys()
    assert len(found_by_server["background.hdf5/detection_statistic"]) > 20
    for name, column in found_by_server.items():
        if isinstance(column, list):
            assert after[name] == column, name
        else:
            np.testing.assert_allclose(after[name], column, rtol=1e-4)


def test_the_outputs_that_were_kept_can_be_found(run):
    index = run.directory / "results" / "infer" / "timeseries.hdf5"
    with h5py.File(index) as file:
        assert len(file["t0"]) == len(list(run.slides.glob("*")))
        for row, shift in enumerate(file["shift"]):
            series = file[f"series/{row}"]
            assert series.attrs["t0"] == file["t0"][row]
            assert len(series["background"]) == file["length"][row]
            assert ("foreground" in series) == bool(shift.any())


@pytest.fixture
def other_server(run, tmp_path_factory):
    """A server of the run's network that the run has not started."""
    with serve(
        run.directory / "results" / "model_repository",
        log_file=tmp_path_factory.mktemp("server") / "log",
        triton_root=triton_root(),
        gpus="",
    ) as address:
        yield address.grpc


def test_a_server_that_is_running_is_used(run, other_server):
    log = run.directory / "results" / "server.log"
    before = log.stat().st_mtime_ns
    slides = sorted(run.slides.glob("*/foreground.hdf5"))
    for path in (slides[0], slides[-1]):
        path.unlink()
    # Two GPUs are two clients, whether or not the server finds them.
    code, output = run.complete(
        "--gpus", "0,1", "--Infer-address", other_server
    )
    assert code == 0, output
    assert f"InferSegments: engine triton at {other_server}" in output
    assert log.stat().st_mtime_ns == before


def test_no_server_at_an_address_is_named(run):
    with run.without_an_output():
        code, output = run.complete("--Infer-address", "127.0.0.1:9")
    assert code != 0
    assert "127.0.0.1:9" in output
    assert "Traceback" not in output
    assert "InferSegments branch" not in output


def test_a_server_of_another_network_is_refused(run, other_server):
    repository = run.directory / "results" / "model_repository"
    (repository / "manifest.json").unlink()
    try:
        with run.changed({"luigi_base": {"inference_batch_size": 8}}):
            code, output = run.complete("--Infer-address", other_server)
    finally:
        (repository / "manifest.json").unlink()
    assert code != 0
    assert "batch_size: " in output
    assert other_server in output
    assert "Traceback" not in output
    assert "InferSegments branch" not in output


def test_it_completes_after_refusals(run):
    code, output = run.complete(*DIRECT)
    assert code == 0, output
    assert "ExportLocal" in run.started()


@pytest.mark.timeout(900)
def test_a_branch_in_a_container_finds_the_same(run, infer_image):
    chosen = min(p.parent for p in run.slides.glob("*/foreground.hdf5"))
    before = tables(chosen)
    for path in chosen.glob("*.hdf5"):
        path.unlink()
    with run.changed(in_a_container("InferSegments", infer_image)):
        code, output = run.complete("--dev")
    assert code == 0, output
    assert output.count("entering sandbox") == 1
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    assert f"sandbox: apptainer::{infer_image}" in plain
    after = tables(chosen)
    assert after.keys() == before.keys()
    assert len(before) > 10
    for name, column in before.items():
        np.testing.assert_array_equal(after[name], column)


@pytest.mark.timeout(900)
def test_the_results_of_a_container_are_the_same(run, light_images):
    volume = run.directory / "results" / "sensitive_volume"
    before = json.loads((volume / "summary.json").read_text())
    (volume / "summary.json").unlink()
    with run.changed(in_a_container("SandboxSV", light_images["plots"])):
        code, output = run.complete()
    assert code == 0, output
    assert output.count("entering sandbox") == 1
    after = json.loads((volume / "summary.json").read_text())
    # The image has a Python of its own.
    assert after.pop("versions").keys() == before.pop("versions").keys()
    assert after == before


@pytest.mark.timeout(900)
def test_an_error_in_a_container_is_shown(run, infer_image):
    changes = in_a_container("InferSegments", infer_image)
    changes["luigi_Infer"] = {"integration_window_length": 0.01}
    with run.without_an_output(), run.changed(changes):
        code, output = run.complete()
    assert code != 0
    assert output.count("integration_window_length: 0.01 s must hold") == 1
    assert run.no_process_is_left(), processes_of(run.directory)


@pytest.mark.timeout(900)
def test_an_image_without_torch_says_so(run, infer_image):
    changes = in_a_container("InferSegments", infer_image)
    with run.without_an_output(), run.changed(changes):
        code, output = run.complete(*DIRECT)
    assert code != 0
    assert "inference in process needs" in output
    assert "infer[torch]" in output
