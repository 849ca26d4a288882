"""The server's own statistics, written while it works."""

import csv
from pathlib import Path

import numpy as np
import pytest
from infer.data import ArraySlide
from infer.monitor import Counts, Statistics, monitor
from infer.triton_engine import TritonEngine


def test_statistics_of_a_run(tiny, address, manifest, tmp_path):
    slides = [ArraySlide(tiny.noise(60.0, seed=i)[None]) for i in range(4)]
    path = tmp_path / "logs" / "server.csv"
    with TritonEngine(address, manifest, streams=4) as engine:
        # What was done before does not count.
        list(engine.evaluate(slides[:1]))
        with monitor(address, path, interval=0.05) as statistics:
            outputs = sum(y.shape[1] for _, y in engine.evaluate(slides))
            written = path.read_text()
    assert outputs == 4 * 208
    # Rows are there while the work goes on.
    assert len(written.splitlines()) > 4
    rows = list(csv.DictReader(path.open()))
    for name in ("aframe", "preprocessor", "snapshotter", "aframe-stream"):
        own = [row for row in rows if row["model"] == name]
        # 240 outputs a slide, 16 a request.
        assert sum(int(row["requests"]) for row in own) == 60
        assert statistics.models[name].requests == 60
        assert sum(int(row["failed"]) for row in own) == 0
    network = statistics.models["aframe"]
    assert 0 < network.infer < statistics.seconds * 4
    assert 1 <= network.executions <= 60
    lines = statistics.summary.splitlines()
    assert [line.split()[0] for line in lines] == [
        *("model", "aframe", "preprocessor", "snapshotter"),
        "bottleneck:",
    ]
    assert statistics.instances["aframe"] >= 1


def test_no_server_fails_nothing(tmp_path):
    with monitor("127.0.0.1:9", tmp_path / "server.csv", 0.01) as statistics:
        pass
    assert statistics.unanswered >= 1
    assert "nothing was asked" in statistics.summary


def test_a_full_disk_fails_nothing(tiny, address, manifest, caplog):
    slide = ArraySlide(tiny.noise(60.0)[None])
    with (
        TritonEngine(address, manifest) as engine,
        monitor(address, Path("/dev/full"), 60.0) as statistics,
    ):
        list(engine.evaluate([slide]))
    assert statistics.models["aframe"].requests == 15
    assert "/dev/full lacks statistics: [Errno 28] No space" in caplog.text


def test_exception_is_not_held_up(address, tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        monitor(address, tmp_path / "server.csv", 60.0),
    ):
        _ = 1 / 0


def test_counters_of_another_server_count_from_zero():
    before = Counts(requests=90, executions=80, queue=3.0)
    after = Counts(requests=100, executions=85, queue=4.0, infer=1.0)
    assert after.since(before) == Counts(
        requests=10, executions=5, queue=1.0, infer=1.0
    )
    anew = Counts(requests=7, executions=7, queue=0.5)
    assert anew.since(before) == anew
    assert anew.plus(before).requests == 97


@pytest.mark.parametrize(
    ("infer", "queue", "instances", "words"),
    [
        (9.5, 0.0, 1, "bottleneck: network, the busiest, worked 95%"),
        (19.0, 0.0, 2, "bottleneck: network, the busiest, worked 95%"),
        (2.0, 0.0, 1, "bottleneck: the clients; network, the busiest, wo"),
        (4.0, 9.0, 1, "bottleneck: no model alone; network"),
    ],
)
def test_bottleneck(infer, queue, instances, words):
    done = Counts(requests=10, executions=5, samples=80, infer=infer)
    statistics = Statistics(
        seconds=10.0,
        models={
            "network": done.plus(Counts(queue=queue)),
            "whitening": Counts(requests=10, executions=10, infer=0.5),
            "aframe-stream": Counts(requests=10, executions=10, infer=99.0),
        },
        instances={"network": instances},
    )
    assert statistics.bottleneck.startswith(words)
    table = statistics.summary.splitlines()
    assert len(table) == 4
    assert table[1].split()[:4] == ["network", "1", "2.00", "16.0"]
    shares = [
        float(cell.rstrip("%"))
        for row in table[1:3]
        for cell in row.split()[4:6]
    ]
    assert np.isclose(sum(shares), 100, atol=0.3)
