import math

import numpy as np
import pytest
from conventions.errors import UserError
from datagen import flags
from datagen.flags import Definition
from gwpy.segments import DataQualityDict, DataQualityFlag
from hypothesis import given
from hypothesis import strategies as st

COLUMNS = ("ifo", "name", "version", "category", "start_time", "end_time")


def definition(start=-math.inf, stop=math.inf, pads=(0.0, 0.0)):
    return Definition("H1:A:1", "H1", 1, start, stop, *pads)


def test_rows_of_a_definer(tmp_path, write_definer):
    path = write_definer(
        tmp_path / "definer.xml",
        [
            ("H1", "A-FLAG", 2, 1, 1000, 0, -4, 8, "a, b"),
            ("L1", "B-FLAG", 1, 2, 1000, 2000, 0, 0, ""),
            ("H1", "A-FLAG", 2, 2, 0, 2000, 8, -8, None),
            ("V1", "C-FLAG", 1, 1, 0, 0, 0, 0, ""),
            ("L1", "B-FLAG", None, 3, 0, 0, None, None, ""),
            ("L1", "B-FLAG", -1, 3, 0, 0, 0, 0, ""),
        ],
    )
    assert flags.definitions(path, ["H1", "L1"]) == [
        Definition("H1:A-FLAG:2", "H1", 1, 1000, math.inf, -4, 8),
        Definition("L1:B-FLAG:1", "L1", 2, 1000, 2000, 0, 0),
        Definition("H1:A-FLAG:2", "H1", 2, 0, 2000, 8, -8),
        Definition("L1:B-FLAG", "L1", 3, 0, math.inf, 0, 0),
        Definition("L1:B-FLAG", "L1", 3, 0, math.inf, 0, 0),
    ]


def test_columns_may_be_left_out(tmp_path, write_definer):
    path = write_definer(
        tmp_path / "definer.xml", [("H1", "A", 1, 1, 5, 9)], COLUMNS
    )
    assert flags.definitions(path, ["H1"]) == [definition(5, 9)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("H1", "A", 1, None, 5, 9), "row 1: flag H1:A:1 with category None"),
        (("H1", "A", 1, 1, 9, 5), "row 1: .* from 9 to 5"),
    ],
)
def test_rows_without_a_meaning(tmp_path, write_definer, row, message):
    path = write_definer(tmp_path / "definer.xml", [row], COLUMNS)
    with pytest.raises(UserError, match=message):
        flags.definitions(path, ["H1"])


@pytest.mark.parametrize("column", ["ifo", "name", "category"])
def test_columns_that_are_needed(tmp_path, write_definer, column):
    columns = [name for name in COLUMNS if name != column]
    row = [{"ifo": "H1", "name": "A"}.get(name, 1) for name in columns]
    path = write_definer(tmp_path / "definer.xml", [tuple(row)], columns)
    with pytest.raises(UserError, match=rf"definer\.xml: .* column {column}"):
        flags.definitions(path, ["H1"])


def test_other_files_are_no_definers(tmp_path):
    with pytest.raises(UserError, match=r"absent\.xml: no such file"):
        flags.definitions(tmp_path / "absent.xml", ["H1"])
    (tmp_path / "text.xml").write_text("nothing")
    with pytest.raises(UserError, match="not a veto-definer file"):
        flags.definitions(tmp_path / "text.xml", ["H1"])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (definition(), [[10, 12], [20, 30]]),
        # widened until they meet
        (definition(pads=(-4, 4)), [[6, 34]]),
        # forward in time
        (definition(pads=(1, 1)), [[11, 13], [21, 31]]),
        # the shorter one is used up, not turned around
        (definition(pads=(2, -2)), [[22, 28]]),
        # padded first, then cut
        (definition(5, 16, pads=(-8, 3)), [[5, 16]]),
        (definition(13, 25, pads=(0, 2)), [[13, 14], [20, 25]]),
        (definition(12, 20), np.empty((0, 2))),
    ],
)
def test_padding_and_validity(row, expected):
    active = np.array([[10.0, 12.0], [20.0, 30.0]])
    np.testing.assert_array_equal(row.vetoed(active), expected)


PAD = st.integers(-3, 3)
BOUND = st.integers(0, 20)


@given(
    st.lists(st.tuples(BOUND, BOUND).map(sorted), max_size=5),
    BOUND,
    BOUND,
    PAD,
    PAD,
)
def test_padding_is_that_of_each_moment(active, first, second, before, after):
    start, stop = sorted((first, second))
    row = definition(start, stop, pads=(before, after))
    found = row.vetoed(np.array(active, dtype=float).reshape(-1, 2))
    for moment in np.arange(-4, 25, 0.5):
        expected = start <= moment < stop and any(
            a + before <= moment < b + after for a, b in active
        )
        assert expected == any(a <= moment < b for a, b in found)


def test_query_of_a_database(segment_database):
    segment_database.flags = {
        ("H1", "A-FLAG", 1): ([[0, 1000]], [[90, 110], [150, 150.5]]),
        ("L1", "B-FLAG", 1): ([[0, 150]], [[100, 110]]),
        ("L1", "B-FLAG", 2): ([[150, 400]], [[105, 120]]),
    }
    found = flags.query(
        ["H1:A-FLAG:1", "L1:B-FLAG"], (100.5, 199.5), segment_database.host
    )
    # Whole seconds around the span, which is no part of the answer's use.
    assert found["H1:A-FLAG:1"].known.tolist() == [[100, 200]]
    assert found["H1:A-FLAG:1"].active.tolist() == [[100, 110], [150, 150.5]]
    assert found["L1:B-FLAG"].known.tolist() == [[100, 200]]
    assert found["L1:B-FLAG"].active.tolist() == [[100, 120]]
    assert any("s=100&e=200" in path for path in segment_database.requests)


def test_a_database_that_does_not_answer(segment_database):
    with pytest.raises(
        UserError, match=r"flags in \[0, 10\).*127.*404.*H1:A:1"
    ):
        flags.query(["H1:A:1"], (0, 10), segment_database.host)
    with pytest.raises(UserError, match="could not be had from http://127"):
        flags.query(["H1:A:1"], (0, 10), "http://127.0.0.1:1")


@pytest.mark.parametrize("host", ["segments.igwn.org", "http://a.b/flags"])
def test_a_host_is_an_address(host):
    with pytest.raises(UserError, match="is not an address such as https"):
        flags.query(["H1:A:1"], (0, 10), host)


@pytest.mark.parametrize("kind", ["hdf5", "xml", "xml.gz"])
def test_flags_of_a_file(tmp_path, kind):
    path = tmp_path / f"flags.{kind}"
    written = DataQualityDict()
    for name, active in (("H1:A:1", [(1, 2.5), (2, 4)]), ("L1:B:1", [])):
        written[name] = DataQualityFlag(name, known=[(0, 9)], active=active)
    written.write(str(path), format="hdf5" if kind == "hdf5" else "ligolw")
    found = flags.read(["L1:B:1", "H1:A:1"], path)
    assert found["H1:A:1"].active.tolist() == [[1, 4]]
    assert found["H1:A:1"].known.tolist() == [[0, 9]]
    assert found["L1:B:1"].active.shape == (0, 2)
    with pytest.raises(UserError, match="no flag H1:C:1; it has H1:A:1, L1"):
        flags.read(["H1:C:1", "H1:A:1"], path)


def test_other_files_have_no_flags(tmp_path):
    with pytest.raises(UserError, match=r"absent\.hdf5: no such file"):
        flags.read([], tmp_path / "absent.hdf5")
    for name in ("text.xml", "text.hdf5"):
        (tmp_path / name).write_text("nothing")
        with pytest.raises(UserError, match=f"{name} is not a file of flags"):
            flags.read(["H1:A:1"], tmp_path / name)
