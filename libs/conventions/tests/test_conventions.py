import ctypes
import subprocess
import sys

import pytest
from conventions.errors import UserError, exit_on_user_error
from conventions.files import complete, complete_directory
from conventions.progress import plain, silent


def stop_after_writing(manager, place):
    """Write half of an output and fail."""
    with manager as temporary:
        place(temporary).write_text("half")
        raise RuntimeError("stopped")


def test_complete_file_appears_only_at_the_end(tmp_path):
    target = tmp_path / "deep" / "x.txt"
    with complete(target) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".txt"
        assert not target.exists()
    assert target.read_text() == "new"
    assert [p.name for p in target.parent.iterdir()] == ["x.txt"]


def test_failure_keeps_what_was_there(tmp_path):
    target = tmp_path / "x.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="stopped"):
        stop_after_writing(complete(target), lambda path: path)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    target = tmp_path / "x[1].txt"
    writer = (
        "import os, signal, sys; from conventions.files import complete\n"
        "with complete(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", writer, target], check=False)
    (left,) = tmp_path.iterdir()
    assert left.is_dir()
    assert left.name.startswith(".x[1].txt.")
    with complete(target) as temporary:
        temporary.write_text("new")
        with complete(target) as another:
            another.write_text("newer")
    assert list(tmp_path.iterdir()) == [target]


def test_a_body_that_writes_nothing_is_an_error(tmp_path):
    with (
        pytest.raises(FileNotFoundError),
        complete(tmp_path / "x.txt"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_directory_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "repository"
    for content in ("one", "two"):
        with complete_directory(target) as temporary:
            (temporary / content).write_text(content)
    assert [p.name for p in target.iterdir()] == ["two"]
    with pytest.raises(RuntimeError, match="stopped"):
        stop_after_writing(complete_directory(target), lambda p: p / "three")
    assert [p.name for p in target.iterdir()] == ["two"]
    assert [p.name for p in tmp_path.iterdir()] == ["repository"]


READER = """
import sys
from pathlib import Path
target, missing, looks = Path(sys.argv[1]), 0, 0
print("looking", flush=True)
while not (target.parent / "done").exists():
    missing += not (target / "content").exists()
    looks += 1
print(missing, looks)
"""


def test_a_directory_is_never_missing_while_it_is_replaced(tmp_path):
    target = tmp_path / "repository"

    def write():
        with complete_directory(target) as temporary:
            (temporary / "content").touch()

    write()
    with subprocess.Popen(
        [sys.executable, "-c", READER, target],
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        reader.stdout.readline()
        for _ in range(200):
            write()
        (tmp_path / "done").touch()
        missing, looks = map(int, reader.stdout.read().split())
    assert missing == 0
    assert looks > 200


def test_a_directory_is_replaced_where_no_exchange_is(tmp_path, monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda *args, **kwargs: object())
    test_directory_is_replaced_as_a_whole(tmp_path)


def test_user_error_becomes_a_message(capsys):
    @exit_on_user_error()
    def main():
        raise UserError("highpass: -3 in x.cfg, must be positive")

    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "error: highpass: -3 in x.cfg, must be positive\n"
    )


def test_other_errors_pass():
    with pytest.raises(KeyError), exit_on_user_error():
        raise KeyError("bug")


def test_progress_yields_everything(capsys):
    assert list(silent(range(3))) == [0, 1, 2]
    assert list(plain(range(3), description="fetch", every=0)) == [0, 1, 2]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "fetch: 1/3",
        "fetch: 2/3",
        "fetch: 3/3",
    ]
    assert list(plain(iter("ab"), every=0)) == ["a", "b"]
    assert ": 2 done" in capsys.readouterr().err
