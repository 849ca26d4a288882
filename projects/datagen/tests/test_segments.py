from itertools import pairwise
from pathlib import Path

import pytest
from conventions import segments as lists
from conventions.errors import UserError
from datagen import segments
from gwpy.segments import SegmentList
from hypothesis import given
from hypothesis import strategies as st

START = 1126051217.0


def test_simulated_span_is_one_segment():
    found = segments.query("simulated", ["H1", "L1"], START, START + 100.5)
    assert found == [(START, START + 100.5)]


@given(
    duration=st.integers(1, 100_000).map(lambda n: n / 8),
    max_duration=st.floats(1, 5000),
)
def test_split_covers_everything(duration: float, max_duration: float):
    pieces = segments.split((START, START + duration), max_duration)
    assert pieces[0][0] == START
    assert pieces[-1][1] == START + duration
    for left, right in pairwise(pieces):
        assert left[1] == right[0]
        assert (right[0] - START).is_integer()
    lengths = [b - a for a, b in pieces]
    assert max(lengths) <= max_duration
    if len(pieces) > 1:
        assert min(lengths) > int(max_duration) / 2 - 1


def test_query_splits_by_max_duration():
    found = segments.query(
        "simulated", ["H1"], START, START + 2500, max_duration=1000
    )
    assert found == [
        (START, START + 833),
        (START + 833, START + 1666),
        (START + 1666, START + 2500),
    ]


def test_pieces_below_min_duration_are_an_error():
    with pytest.raises(UserError, match=r"pieces of 750 s.*min_duration = 8"):
        segments.query(
            "simulated",
            ["H1"],
            START,
            START + 1500,
            min_duration=800,
            max_duration=1000,
        )


def test_max_duration_below_one_second_is_an_error():
    with pytest.raises(UserError, match=r"max_duration: 0\.5"):
        segments.split((0, 10), 0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "real"}, "source: 'real' is unknown.*simulated, gwosc"),
        ({"ifos": ["H1", "X1"]}, "unknown interferometer 'X1'.*H1, L1"),
        ({"ifos": ["H1", "H1"]}, "twice"),
        ({"ifos": []}, "ifos: \\[\\]"),
        ({"ifos": "H1"}, "ifos: 'H1'"),
        ({"stop": START}, "stop: 1126051217.0 is not after start"),
        ({"min_duration": 101}, "no segment of at least.*longest has 100"),
    ],
)
def test_query_rejects(options: dict, message: str):
    arguments = {
        "source": "simulated",
        "ifos": ["H1", "L1"],
        "start": START,
        "stop": START + 100,
    }
    with pytest.raises(UserError, match=message):
        segments.query(**(arguments | options))


def test_written_file_is_read_back_here_and_by_gwpy(tmp_path: Path):
    path = tmp_path / "new" / "segments.txt"
    listed = [(START, START + 10), (START + 10, START + 20.53125)]
    lists.write(path, listed)
    assert lists.read(path) == listed
    theirs = SegmentList.read(path, format="segwizard", gpstype=float)
    assert [tuple(pair) for pair in theirs] == listed


def test_reads_a_file_of_gwpy(tmp_path: Path):
    path = tmp_path / "segments.txt"
    listed = [(START, START + 10), (START + 15, START + 20)]
    SegmentList(listed).write(path, format="segwizard")
    assert lists.read(path) == listed


@given(
    *[
        st.lists(st.integers(0, 60), unique=True, max_size=20).map(
            lambda edges: list(
                zip(*[iter(sorted(edges)[len(edges) % 2 :])] * 2, strict=True)
            )
        )
        for _ in range(2)
    ]
)
def test_intersection_equals_brute_force(first: list, second: list):
    def seconds(listed: list) -> set[int]:
        return {second for a, b in listed for second in range(a, b)}

    common = segments.intersect(first, second)
    assert seconds(common) == seconds(first) & seconds(second)
    assert common == sorted(common)
