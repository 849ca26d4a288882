import numpy as np
import pytest
from astropy.table import Table
from conventions.errors import UserError
from datagen import veto_tables


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "table.txt"
        path.write_text(text)
        return path

    return write


def test_gates_reach_to_the_end_of_their_tapers(write):
    path = write("1238170292.5 0.5 0.25\n# later\n1238170300 0 0.5\n")
    assert veto_tables.gates(path, 0).tolist() == [
        [1238170291.75, 1238170293.25],
        [1238170299.5, 1238170300.5],
    ]
    # wide enough to meet
    assert veto_tables.gates(path, 3.125).tolist() == [
        [1238170288.625, 1238170303.625]
    ]


@pytest.mark.parametrize("text", ["0 10 20 10\n1 15 30 15", "15 30\n10 20\n"])
def test_segments_in_segwizard_format(write, text):
    path = write(f"# seg start stop duration\n{text}")
    assert veto_tables.segments(path).tolist() == [[10, 30]]
    assert veto_tables.gates(path, 0.5).tolist() == [[9.5, 30.5]]


@pytest.mark.parametrize("text", ["", "# nothing\n\n"])
def test_there_may_be_none(write, text):
    assert veto_tables.segments(write(text)).shape == (0, 2)
    assert veto_tables.gates(write(text), 1).shape == (0, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 10 20 10\n1 30 15 -15", r"segment 2: \[1.0, 30.0, 15.0, -15.0\]"),
        ("0 10 20 11", "segment 1: .* another duration"),
        ("20 10", "segment 1: .* does not end"),
        ("10 20 10", "has 3 columns"),
        ("10", "has 1 columns"),
        ("10 20\n10", "not a table of numbers"),
        ("10 then", "not a table of numbers: .*then"),
        ("10 nan", "not finite"),
    ],
)
def test_wrong_segments_name_file_and_line(write, text, message):
    with pytest.raises(UserError, match=rf"table\.txt.*{message}"):
        veto_tables.segments(write(text))


def test_binary_files(tmp_path):
    path = tmp_path / "gates.txt"
    path.write_bytes(b"\x89HDF\xff\xfe")
    for read in (
        veto_tables.segments,
        lambda path: veto_tables.gates(path, 0.0),
    ):
        with pytest.raises(UserError, match=r"gates\.txt is not a text file"):
            read(path)


@pytest.mark.parametrize(
    "text", ["0 1000000000 1000000010\n", "5 10 12\n", "0 0.5 0.5\n"]
)
def test_numbered_segments_are_no_gates(write, text):
    with pytest.raises(UserError, match=r"gate 1: .* before GPS time 0"):
        veto_tables.gates(write(text), 0.0)


def test_wrong_gates(write, tmp_path):
    with pytest.raises(UserError, match="negative width"):
        veto_tables.gates(write("10 -1 0.5"), 0)
    with pytest.raises(UserError, match=r"absent: no such file"):
        veto_tables.gates(tmp_path / "absent", 0)


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "hdf5"])
@pytest.mark.parametrize("column", ["GPS", "time", "gps_time"])
def test_windows_around_known_events(tmp_path, suffix, column):
    path = tmp_path / f"events.{suffix}"
    table = Table({"name": ["b", "a", "c"], column: [1200.25, 1000.5, 1201]})
    table.write(path, **({"path": "events"} if suffix == "hdf5" else {}))
    assert veto_tables.events(path, 0.5).tolist() == [
        [1000, 1001],
        [1199.75, 1201.5],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,start\na,1\n", "the columns are name, start"),
        ("gps,time\n1,1\n", "one column of GPS times"),
        ("name,gps\na,1\nb,\n", "column gps: 1 of 2 events have no time"),
        ("name,gps\na,soon\n", "column gps: .*soon"),
    ],
)
def test_wrong_catalogues(tmp_path, text, message):
    path = tmp_path / "events.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        veto_tables.events(path, 1)


def test_other_files_are_no_catalogues(tmp_path):
    path = tmp_path / "events.dat"
    with pytest.raises(UserError, match="no such file"):
        veto_tables.events(path, 1)
    path.write_bytes(np.arange(9).tobytes())
    with pytest.raises(UserError, match="is not a table of events"):
        veto_tables.events(path, 1)
