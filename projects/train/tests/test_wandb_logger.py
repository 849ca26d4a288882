import io
import json
import os
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from conventions.errors import UserError
from matplotlib.figure import Figure
from train.plots import save
from train.wandb_logger import WandbLogger, WandbSettings

wandb = pytest.importorskip("wandb")
from wandb.proto.wandb_internal_pb2 import Record  # noqa: E402

BLOCK = 32768
KEY = "0123456789abcdef" * 3  # of the right kind, and nobody's


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """W&B with nothing from this machine, and nothing left in it."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    # registered here, so that what the logger sets is undone
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield
    with suppress(ConnectionError):  # a test that kills it
        wandb.teardown()


@pytest.fixture
def logger(tmp_path):
    settings = WandbSettings(project="search", group="g", tags=["one"])
    (tmp_path / "run").mkdir()
    return WandbLogger(settings, tmp_path / "run")


def chunks(path):
    """Records of W&B's file, which is a log of LevelDB behind 7 bytes."""
    content, position, whole = path.read_bytes(), 7, b""
    while position < len(content):
        left = BLOCK - position % BLOCK
        if left < 7:
            position += left
            continue
        size, kind = struct.unpack("<HB", content[position + 4 :][:3])
        position += 7 + size
        whole += content[position - size : position]
        if kind in (1, 4):  # whole, or the last part
            yield whole
            whole = b""


def records(run_dir):
    """What W&B itself will send."""
    [path] = (run_dir / "wandb").glob("offline-run-*/*.wandb")
    return [Record.FromString(chunk) for chunk in chunks(path)]


def history(run_dir):
    wandb.teardown()  # as at the end of a process
    rows = []
    for record in records(run_dir):
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            key = [item.key or ".".join(item.nested_key) for item in items]
            value = [json.loads(item.value_json) for item in items]
            rows.append(dict(zip(key, value, strict=True)))
    return rows


@pytest.fixture
def picture(tmp_path):
    save(Figure(), tmp_path / "picture.png")
    return tmp_path / "picture.png"


def test_a_run_without_connection_is_in_files(
    logger, tmp_path, monkeypatch, picture
):
    monkeypatch.setenv("WANDB_MODE", "offline")
    logger.start("abcd1234", {"batch_size": 4})
    logger.log_metrics({"train_loss": 0.5}, 3)
    logger.add_pictures("validation", 0, {"inputs": picture}, 3)
    logger.log_metrics({"train_loss": 0.25}, 7)
    logger.add_pictures("validation", 1, {"inputs": picture}, 7)
    logger.finalize("success")
    rows = history(tmp_path / "run")
    losses = [row["train_loss"] for row in rows if "train_loss" in row]
    steps = [row["trainer/global_step"] for row in rows]
    assert losses == [0.5, 0.25]
    assert steps == [3, 3, 7, 7]
    tables = [row for row in rows if "train_loss" not in row]
    assert len(tables) == 2  # one table, that grows by a row
    for number, row in enumerate(tables):
        table = {
            key.removeprefix("validation."): value
            for key, value in row.items()
        }
        assert table["_type"] == "incremental-table-file"
        assert table["increment_num"] == number
        assert (table["nrows"], table["ncols"]) == (number + 1, 2)
    kinds = [r.WhichOneof("record_type") for r in records(tmp_path / "run")]
    run = records(tmp_path / "run")[kinds.index("run")].run
    assert run.run_id == "abcd1234"
    assert run.project == "search"
    assert run.run_group == "g"
    assert list(run.tags) == ["one"]


def unreachable(kind):
    """Address where nobody answers: refused, or accepted and silent."""
    server = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{server.getsockname()[1]}"
    if kind == "refuses":
        server.close()
    return server, address


@pytest.mark.parametrize("kind", ["refuses", "is silent"])
def test_an_unreachable_server_costs_a_limited_time(
    logger, tmp_path, monkeypatch, kind
):
    server, address = unreachable(kind)
    monkeypatch.setenv("WANDB_BASE_URL", address)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "1")
    began = time.monotonic()
    with server:
        with pytest.warns(UserWarning, match="W&B cannot be reached"):
            logger.start("abcd1234", {})
        logger.log_metrics({"train_loss": 0.5}, 3)
        logger.finalize("success")
    assert time.monotonic() - began < 60
    assert [row["train_loss"] for row in history(tmp_path / "run")] == [0.5]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_failure_in_between_ends_the_log_only(logger, monkeypatch, picture):
    monkeypatch.setenv("WANDB_MODE", "offline")
    logger.start("abcd1234", {})
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    [service] = [
        int(pid)
        for pid in children.split()
        if b"wandb-core" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(service, signal.SIGKILL)
    time.sleep(0.5)

    def go_on():
        logger.log_metrics({"train_loss": 0.5}, 3)
        logger.finalize("success")

    with pytest.warns(UserWarning, match="the training goes on without it"):
        go_on()
    logger.log_metrics({"train_loss": 0.25}, 7)
    logger.add_pictures("validation", 0, {"inputs": picture}, 3)


def test_a_missing_key_is_named_before_the_training(logger, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(UserError, match="set WANDB_API_KEY, or WANDB_MODE"):
        logger.start("abcd1234", {})


def test_a_missing_package_is_named(logger, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="needs the package wandb"):
        logger.start("abcd1234", {})
