from pathlib import Path

import pytest
from conventions import segments
from conventions.errors import UserError


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([], "empty"),
        ([(10, 10)], r"\[10, 10\) does not end after it starts"),
        ([(10, 5)], r"\[10, 5\) does not end after it starts"),
        ([(float("nan"), 5)], "nan"),
        ([(0, 10), (9, 20)], r"\[0, 10\) and \[9, 20\) overlap"),
        ([(10, 20), (0, 5)], r"\[10, 20\) and \[0, 5\) are not in order"),
        ([(0, 10), (0, 10)], "overlap"),
    ],
)
def test_validate_names_the_pair(listed: list, message: str):
    with pytest.raises(UserError, match=message):
        segments.validate(listed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 10 9 -1\n", r"segments\.txt: .*\[10, 9\) does not end"),
        ("# nothing\n", r"segments\.txt: segments: the list is empty"),
        ("10 20\nsome words\n", r"segments\.txt, line 2: 'some words' is not"),
        ("# a\n1 10 20\n", r"segments\.txt, line 2: '1 10 20' is not"),
        ("0 10 20 11\n", r"\[10, 20\) does not have the duration 11"),
        ("0 30 40 10\n1 10 20 10\n", "are not in order of time"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, message: str):
    path = tmp_path / "segments.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        segments.read(path)


def test_two_columns_are_read(tmp_path: Path):
    path = tmp_path / "segments.txt"
    path.write_text("# start stop\n10 20.5 # first\n\n30 40\n")
    assert segments.read(path) == [(10, 20.5), (30, 40)]


def test_missing_file_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"segments\.txt does not exist"):
        segments.read(tmp_path / "segments.txt")


def test_invalid_segments_are_not_written(tmp_path: Path):
    path = tmp_path / "segments.txt"
    with pytest.raises(UserError):
        segments.write(path, [])
    assert not path.exists()
