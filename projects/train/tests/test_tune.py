"""Searches on real Ray: killed and continued, and on a cluster elsewhere."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import yaml
from preprocessing.manifest import Manifest, sha256

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "aframe" / "pipelines" / "sandbox" / "configs" / "demo.yaml"
TRIALS = 4
WAIT_SECONDS = 400
SPACE = {
    "model.learning_rate": {"loguniform": [1e-4, 1e-2]},
    # this seed draws 1 once: a trial that is done long before the others
    "trainer.max_epochs": {"choice": [1, 9, 9]},
}
SEED = 4


@pytest.fixture(scope="module")
def arguments(need, directories):
    """A search for trainings of seconds."""
    reason = "there is no ray: the extra tune of train installs it"
    need("ray", find_spec("ray") is not None, reason)
    background, waveforms = directories
    data = {
        "background_dir": background,
        "waveforms_dir": waveforms,
        "sample_rate": 256,
        "highpass": 20,
        "batch_size": 16,
        "batches_per_epoch": 2,
        "min_valid_duration": 60,
        "valid_livetime": 80,
        "num_workers": 0,
    }
    return [
        f"--config={CONFIG}",
        f"--seed_everything={SEED}",
        *[f"--data.{name}={value}" for name, value in data.items()],
        "--model.arch.channels=[8,8]",
        "--trainer.log_every_n_steps=1",
        "--trainer.enable_progress_bar=false",
        "--tune.cpus_per_gpu=0.5",
    ]


def write_space(directory, space):
    path = directory / "space.yaml"
    path.write_text(yaml.safe_dump(space))
    return f"--tune.space={path}"


def processes_of(text):
    """Processes whose command line or environment has a text."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
            words += (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(text).encode() in words and int(entry.name) != os.getpid():
            found.append(entry.name)
    return found


def wait_until(condition, process=None, seconds=WAIT_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, "it has ended"
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)


class Search:
    """A search in a process of its own, started again and again."""

    def __init__(self, directory, arguments):
        self.run_dir = directory / "training"
        self.storage = directory / "storage"
        self.path = self.storage / "night"
        self.log = directory / "log"
        self.mark = str(directory / "mark")
        self.process = None
        self.arguments = [
            *arguments,
            write_space(directory, SPACE),
            f"--run_dir={self.run_dir}",
            f"--tune.storage_dir={self.storage}",
            f"--tune.num_samples={TRIALS}",
            "--tune.name=night",
            "--tune.grace_period=20",
        ]

    def start(self, *more):
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "train.tune", *self.arguments, *more],
                env=os.environ | {"SEARCH": self.mark},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self.process

    def complete(self, *more):
        code = self.start(*more).wait(WAIT_SECONDS)
        return code, self.log.read_text()

    def files(self, name):
        return sorted(self.path.glob(f"trial-*/{name}"))

    def no_process_is_left(self):
        """Ray's own and the trainings end with the search.

        After a SIGKILL some of Ray's notice it by asking now and then.
        """
        wait_until(lambda: not processes_of(self.mark), seconds=120)
        return True


@pytest.fixture(scope="module")
def search(arguments, tmp_path_factory):
    """A search that was interrupted, killed, and completed."""
    search = Search(tmp_path_factory.mktemp("search"), arguments)
    try:
        yield go_through(search)
    finally:
        search.process.kill()
        search.process.wait()


def go_through(search):
    """Interrupt it, kill it, complete it."""
    process = search.start()
    wait_until(lambda: search.files("trial.json"), process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "run again to continue" in search.log.read_text()
    assert search.no_process_is_left()

    process = search.start()
    wait_until(lambda: search.files("manifest.json"), process)
    process.kill()
    process.wait()
    assert search.no_process_is_left()
    search.before = {
        path: path.stat().st_mtime_ns for path in search.files("model.pt")
    }
    records = map(
        json.loads, (p.read_text() for p in search.files("trial.json"))
    )
    search.started = [record["started"] for record in records]
    first = min(path.stat().st_mtime for path in search.files("manifest.json"))
    search.first_end = first
    search.code, search.output = search.complete()
    return search


@pytest.mark.timeout(1500)
def test_trials_ran_side_by_side(search):
    assert len(search.started) == TRIALS
    assert max(search.started) < search.first_end


def test_a_killed_search_goes_on_where_it_was(search):
    assert search.code == 0, search.output
    assert 0 < len(search.before) < TRIALS
    for path, changed in search.before.items():
        assert path.stat().st_mtime_ns == changed, "it was trained again"
    summary = json.loads((search.run_dir / "search.json").read_text())
    assert [row["trial"] for row in summary["trials"]] == list(range(TRIALS))
    for row in summary["trials"]:
        assert row["outcome"] == "finished"
        assert row["epochs"] == row["parameters"]["trainer.max_epochs"]
    assert len({row["epochs"] for row in summary["trials"]}) == 2
    assert search.no_process_is_left()


def test_the_best_trial_is_where_export_looks(search):
    summary = json.loads((search.run_dir / "search.json").read_text())
    scores = [row["valid_auroc"] for row in summary["trials"]]
    assert scores[summary["best"]] == max(scores)
    best = search.path / f"trial-{summary['best']:03d}"
    names = ["batch.hdf5", "config.yaml", "model.pt", "val_batch.hdf5"]
    for name in names:
        assert (search.run_dir / name).read_bytes() == (
            best / name
        ).read_bytes()
    manifest = Manifest.read(search.run_dir / "manifest.json")
    assert manifest.weights_sha256 == sha256(search.run_dir / "model.pt")
    torch.jit.load(search.run_dir / "model.pt")
    times = {p.name: p.stat().st_mtime_ns for p in search.run_dir.iterdir()}
    assert max(times, key=times.get) == "manifest.json"
    config = yaml.safe_load((search.run_dir / "config.yaml").read_text())
    row = summary["trials"][summary["best"]]
    assert config["fit"]["model"]["init_args"]["learning_rate"] == (
        pytest.approx(row["parameters"]["model.learning_rate"])
    )


def run(*arguments):
    """Run the command line in this process; return its exit code."""
    from train.tune.cli import main

    try:
        main(arguments)
    except SystemExit as stop:
        return stop.code
    return 0


def test_a_complete_search_is_left_alone(search, capsys):
    before = (search.run_dir / "manifest.json").stat().st_mtime_ns
    assert run(*search.arguments) == 0
    assert "nothing to do" in capsys.readouterr().out
    after = (search.run_dir / "manifest.json").stat().st_mtime_ns
    assert after == before


def test_another_search_of_the_same_name_is_refused(search, capsys):
    more = "--data.batch_size=8", "--tune.num_samples=2"
    assert run(*search.arguments, *more) == 2
    message = capsys.readouterr().err
    assert "training.data.batch_size: 16 -> 8" in message
    assert "tune.num_samples: 4 -> 2" in message


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, "there is nothing to search"),
        (
            {"model.learningrate": {"uniform": [0.1, 0.2]}},
            "did you mean model.learning_rate",
        ),
        ({"model.learning_rate": {"choice": [0.1, "x"]}}, "learning_rate"),
    ],
)
def test_spaces_that_cannot_be_searched(
    arguments, tmp_path, capsys, space, message
):
    storage = tmp_path / "storage"
    given = [write_space(tmp_path, space), f"--tune.storage_dir={storage}"]
    assert run(*arguments, *given, "--tune.name=x") == 2
    assert message in capsys.readouterr().err
    assert not storage.exists()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


WORKERS = 2
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
"""Which all nodes of a cluster know, and who asks it."""


def ray_start(*arguments):
    """A node of a Ray cluster, in processes of its own."""
    return subprocess.Popen(
        [
            *(Path(sys.executable).parent / "ray", "start", "--block"),
            *("--disable-usage-stats", "--node-ip-address=127.0.0.1"),
            *("--object-store-memory=100000000", *arguments),
        ],
        env=os.environ | TOKEN,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def endpoint(arguments):
    """A Ray cluster that this process has not started.

    As on Kubernetes: a head that computes nothing, and nodes that do.
    """
    import tempfile

    port, client = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as scratch:
        head = ray_start(
            *("--head", "--num-cpus=0", f"--port={port}"),
            *(f"--ray-client-server-port={client}", f"--temp-dir={scratch}"),
            "--include-dashboard=false",
        )
        nodes = [head]

        def answers():
            with socket.socket() as found:
                return found.connect_ex(("127.0.0.1", client)) == 0

        try:
            wait_until(answers, head)
            address = f"--address=127.0.0.1:{port}"
            # One by one: of two that start at once one may not come up.
            for _ in range(WORKERS):
                nodes.append(ray_start(address, "--num-cpus=1"))
                wait_until(lambda: alive(address) == len(nodes), nodes[-1])
            yield f"127.0.0.1:{client}"
        finally:
            for node in reversed(nodes):
                node.terminate()
            for node in nodes:
                node.wait(60)
            wait_until(lambda: not processes_of(scratch), seconds=60)


def alive(address):
    """Nodes that a Ray cluster has."""
    ray = Path(sys.executable).parent / "ray"
    result = subprocess.run(
        [ray, "status", address],
        env=os.environ | TOKEN,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.count("node_")


def elsewhere(endpoint, tmp_path):
    """Arguments of a search there."""
    return [
        write_space(tmp_path, {"model.learning_rate": {"choice": [1e-3]}}),
        f"--tune.storage_dir={tmp_path}",
        f"--tune.endpoint={endpoint}",
        f"--tune.num_samples={WORKERS}",
        "--tune.cpus_per_gpu=1",  # all that a node has
        "--tune.name=far",
        "--trainer.max_epochs=1",
    ]


@pytest.mark.timeout(600)
def test_a_search_on_a_cluster_elsewhere(arguments, endpoint, tmp_path):
    command = [*arguments, *elsewhere(endpoint, tmp_path)]
    token = {"RAY_AUTH_TOKEN": TOKEN["RAY_AUTH_TOKEN"]}
    subprocess.run(
        [sys.executable, "-m", "train.tune", *command],
        env=os.environ | token,
        check=True,
    )
    assert Manifest.read(tmp_path / "far" / "manifest.json")
    summary = json.loads((tmp_path / "far" / "search.json").read_text())
    rows = summary["trials"]
    assert [row["outcome"] for row in rows] == ["finished"] * WORKERS
    ended = min(row["ended"] for row in rows)
    assert max(row["started"] for row in rows) < ended, "one after the other"


def test_trials_too_large_for_the_cluster(arguments, tmp_path, capsys):
    more = [
        write_space(tmp_path, SPACE),
        f"--tune.storage_dir={tmp_path}",
        "--tune.name=large",
        "--tune.gpus_per_worker=1000",
        "--tune.cpus_per_gpu=1",
    ]
    assert run(*arguments, *more) == 2
    message = capsys.readouterr().err
    assert "a trial needs 1000 CPU, 1000 GPU of one machine" in message
    assert "the cluster has " in message
    assert not (tmp_path / "large").exists()


def test_no_cluster_at_an_endpoint_is_named(
    arguments, tmp_path, capsys, monkeypatch
):
    for name in ("INITIAL_TIMEOUT_SEC", "MAX_TIMEOUT_SEC"):
        monkeypatch.setattr(f"ray.util.client.worker.{name}", 0.5)
    # what the search would set for the tests that follow
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    closed = f"127.0.0.1:{free_port()}"
    assert run(*arguments, *elsewhere(closed, tmp_path)) == 2
    assert f"no Ray cluster answers at {closed}" in capsys.readouterr().err
