"""Reading, writing and aggregating; storage.py and aggregation.py too."""

import subprocess
import sys
import tracemalloc
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st

from ledger import aggregation, storage
from ledger.events import EventSet, RecoveredInjectionSet
from ledger.injections import InjectionParameterSet, WaveformPolarizationSet
from ledger.ledger import Ledger, parameter, waveform
from ledger.livetime import LivetimeSet
from ledger.testing import event_sets, response_sets


@dataclass(eq=False)
class Series(Ledger):
    number: np.ndarray = parameter()
    series: np.ndarray = waveform()


def series(count, size=8, dtype=np.float32):
    return Series(
        number=np.arange(count, dtype=np.int32),
        series=np.arange(count * size).reshape(count, size).astype(dtype),
    )


def test_round_trip_keeps_dtype_and_shape(tmp_path):
    table = series(5)
    table.write(tmp_path / "a.hdf5")
    read = Series.read(tmp_path / "a.hdf5")
    assert read == table
    assert (read.number.dtype, read.series.dtype) == (np.int32, np.float32)


dtypes = st.sampled_from(["f4", "f8", ">f8", "i4", "i8", "u1", "?", "c8"])


@given(st.integers(0, 5), st.integers(0, 3), st.integers(0, 4), dtypes, dtypes)
def test_round_trips_keep_dtype_and_shape(
    tmp_path_factory, count, width, size, one, two
):
    folder = tmp_path_factory.mktemp("round")
    shape = (count, width) if width else (count,)
    table = Series(
        number=np.arange(np.prod(shape)).reshape(shape).astype(one),
        series=np.arange(count * size).reshape(count, size).astype(two),
    )
    (path,) = write_all([table], folder)
    Series.aggregate([path], folder / "all.hdf5")
    copies = [Series.read(path), Series.read(folder / "all.hdf5"), table[:]]
    copies.append(Series.concatenate([table, table[:0]]))
    for copy in copies:
        assert copy == table
        for name in table.columns():
            ours, theirs = getattr(copy, name), getattr(table, name)
            assert ours.shape == theirs.shape
            assert ours.dtype == theirs.dtype or copy is copies[-1]


@pytest.mark.parametrize(
    "cls",
    [
        EventSet,
        RecoveredInjectionSet,
        InjectionParameterSet,
        WaveformPolarizationSet,
    ],
)
def test_empty_ledger_is_valid_everywhere(cls, tmp_path):
    one, two, both = (tmp_path / f"{name}.hdf5" for name in "abc")
    cls().write(one, chunks=(4, 4))
    cls().write(two)
    assert cls.read(one) == cls()
    cls.aggregate([one, two], both, clean=True)
    read = cls.read(both)
    read.append(cls())
    assert len(read) == len(read[:]) == len(list(read)) == 0
    assert read == cls()


def test_empty_keeps_row_shape(tmp_path):
    empty = series(3)[:0]
    empty.write(tmp_path / "a.hdf5")
    assert Series.read(tmp_path / "a.hdf5").series.shape == (0, 8)
    Series.aggregate([tmp_path / "a.hdf5"], tmp_path / "b.hdf5")
    assert Series.read(tmp_path / "b.hdf5").series.shape == (0, 8)


def test_chunks_are_for_waveforms_and_cut_to_size(tmp_path):
    series(5).write(tmp_path / "a.hdf5", chunks=(2, 100))
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert file["waveforms/series"].chunks == (2, 8)
        assert file["parameters/number"].chunks is None
    with pytest.raises(UserError, match=r"chunks \(2,\)"):
        series(5).write(tmp_path / "b.hdf5", chunks=(2,))
    assert not (tmp_path / "b.hdf5").exists()


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.hdf5"
    series(2).write(path)
    bad = Series(number=np.array(["a"]), series=np.zeros((1, 8)))
    with pytest.raises(TypeError):
        bad.write(path)
    assert Series.read(path) == series(2)
    assert list(tmp_path.iterdir()) == [path]


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"none\.hdf5: no such file"):
        EventSet.read(tmp_path / "none.hdf5")


def test_truncated_file(tmp_path):
    path = tmp_path / "a.hdf5"
    series(100).write(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"a\.hdf5: truncated, or not"):
        Series.read(path)


def test_directory_in_place_of_a_file(tmp_path):
    with pytest.raises(UserError, match=str(tmp_path)):
        EventSet.read(tmp_path)


def replace(file, name, value):
    del file[name]
    file[name] = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.attrs.pop("length"), "'length' is missing"),
        (lambda f: f.attrs.__setitem__("length", 2.5), "'length' is 2.5"),
        (lambda f: f.attrs.__setitem__("length", -1), "'length' is -1"),
        (lambda f: f.attrs.__setitem__("length", "2"), "'length' is 2, not"),
        (lambda f: f.attrs.__setitem__("length", [2, 2]), r"is \[2, 2\], not"),
        (lambda f: f.attrs.__setitem__("length", np.nan), "'length' is nan"),
        (lambda f: f.attrs.__setitem__("length", np.inf), "'length' is inf"),
        (lambda f: f.attrs.__setitem__("length", 3), "has 3 rows"),
        (lambda f: f.pop("waveforms"), "'waveforms/series' is missing"),
        (
            lambda f: f.pop("parameters/number"),
            "'parameters/number' is missing; 'parameters' has nothing",
        ),
        (
            lambda f: (f.pop("waveforms"), f.create_group("waveforms/series")),
            "'waveforms/series' is missing",
        ),
        (
            lambda f: (
                f.pop("waveforms"),
                f.create_dataset("waveforms", data=[1, 2]),
            ),
            "'waveforms/series' is missing; 'waveforms' has nothing",
        ),
        (
            lambda f: replace(f, "parameters/number", ["a", "b"]),
            "dtype object, not rows of numbers",
        ),
        (
            lambda f: replace(f, "parameters/number", np.array([b"a", b"b"])),
            r"dtype \|S1, not rows of numbers",
        ),
        (
            lambda f: replace(f, "parameters/number", 3.0),
            r"shape \(\) and dtype float64, not rows",
        ),
        (
            lambda f: replace(f, "parameters/number", h5py.Empty("f8")),
            "dtype float64, not rows of numbers",
        ),
        (
            lambda f: replace(f, "parameters/number", np.zeros(2, "i4,f8")),
            "not rows of numbers",
        ),
    ],
)
def test_foreign_file_is_named(tmp_path, change, message):
    path, target = tmp_path / "a.hdf5", tmp_path / "b.hdf5"
    series(2).write(path)
    with h5py.File(path, "a") as file:
        change(file)
    for use in (Series.read, lambda path: Series.aggregate([path], target)):
        with pytest.raises(UserError, match=message) as caught:
            use(path)
        assert str(path) in str(caught.value)
    assert not target.exists()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Tb", "long", "'Tb' is 'long', not a number"),
        ("num_injections", [3, 3], r"'num_injections' is \[3, 3\], not a"),
        ("sample_rate", "fast", "sample_rate is 'fast'; a number that is"),
        ("sample_rate", 0.0, "sample_rate is 0.0; a number that is positive"),
        ("duration", np.nan, "duration is nan; a number that is positive"),
        ("right_pad", -1.0, "right_pad is -1.0; a number that is at least 0"),
        ("ifos", "H1L1", "ifos is 'H1L1', not a list of names"),
        ("ifos", [1, 2], r"ifos is \[1, 2\], not a list of names"),
    ],
)
def test_foreign_metadata_is_named(tmp_path, name, value, message):
    path = tmp_path / "a.hdf5"
    RecoveredInjectionSet().write(path)
    with h5py.File(path, "a") as file:
        file.attrs[name] = value
    with pytest.raises(UserError, match=message) as caught:
        RecoveredInjectionSet.read(path)
    assert str(path) in str(caught.value)


@given(st.floats(0, 1, exclude_max=True))
def test_truncated_anywhere(tmp_path_factory, fraction):
    folder = tmp_path_factory.mktemp("truncated")
    one, two = write_all([series(20), series(20)], folder)
    whole = two.read_bytes()
    two.write_bytes(whole[: int(fraction * len(whole))])
    with pytest.raises(UserError, match=f"{two}: truncated"):
        Series.read(two)
    with pytest.raises(UserError, match=f"{two}: truncated"):
        Series.aggregate([one, two], folder / "all.hdf5", clean=True)
    assert sorted(folder.iterdir()) == [one, two]


def test_damaged_data_name_the_file(tmp_path):
    path = tmp_path / "a.hdf5"
    series(40).write(path)
    values = np.random.default_rng(0).normal(size=(40, 8))
    with h5py.File(path, "a") as file:
        del file["waveforms/series"]
        packed = file.create_dataset(
            "waveforms/series", data=values, chunks=(40, 8), compression=4
        )
        place = packed.id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 10 : place + 50] = bytes(40)
    path.write_bytes(content)
    target = tmp_path / "b.hdf5"
    for use in (
        Series.read,
        lambda path: Series.sample_from_file(path, 3),
        lambda path: Series.aggregate([path], target, clean=True),
    ):
        with pytest.raises(
            UserError, match=r"a\.hdf5: .* 'waveforms/series' cannot be read"
        ):
            use(path)
    assert path.exists()
    assert not target.exists()


def test_length_stored_as_float_is_read(tmp_path):
    series(2).write(tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5", "a") as file:
        file.attrs["length"] = 2.0
    assert len(Series.read(tmp_path / "a.hdf5")) == 2


def test_bad_content_names_the_file(tmp_path, make_events):
    path = tmp_path / "a.hdf5"
    make_events(3).write(path)
    with h5py.File(path, "a") as file:
        file["parameters/detection_statistic"][1] = np.nan
    with pytest.raises(UserError, match=r"a\.hdf5: .*1 of 3 .* are NaN"):
        EventSet.read(path)


@given(st.lists(st.integers(0, 999), max_size=50, unique=True))
def test_scattered_rows_equal_indexing(rows):
    rows = np.sort(np.array(rows, dtype=int))
    values = np.arange(30_000.0).reshape(1000, 30)
    with h5py.File.in_memory() as file:
        file["parameters/a"] = values
        column = storage.find_column(file, "parameter", "a", 1000)
        np.testing.assert_array_equal(column.read(rows), values[rows])


def test_sample_without_replacement(tmp_path, rng):
    series(50).write(tmp_path / "a.hdf5")
    chosen = Series.sample_from_file(tmp_path / "a.hdf5", 20, rng=rng)
    assert len(set(chosen.number)) == 20
    assert not chosen.is_sorted_by("number")
    np.testing.assert_array_equal(chosen.series[:, 0], 8 * chosen.number)
    everything = Series.sample_from_file(tmp_path / "a.hdf5", 50, rng=rng)
    assert sorted(everything.number) == list(range(50))


def test_sample_with_replacement(tmp_path, rng, make_responses):
    series(3).write(tmp_path / "a.hdf5")
    chosen = Series.sample_from_file(
        tmp_path / "a.hdf5", 200, replace=True, rng=rng
    )
    assert set(chosen.number) == {0, 1, 2}
    table = make_responses(3)
    table.write(tmp_path / "b.hdf5")
    chosen = type(table).sample_from_file(
        tmp_path / "b.hdf5", 30, replace=True, rng=rng
    )
    assert len(chosen) == chosen.num_injections == 30


def test_sample_of_too_few(tmp_path):
    series(3).write(tmp_path / "a.hdf5")
    with pytest.raises(UserError, match="4 rows asked for, 3 are there"):
        Series.sample_from_file(tmp_path / "a.hdf5", 4)
    Series().write(tmp_path / "b.hdf5")
    with pytest.raises(UserError, match="1 rows asked for, 0 are there"):
        Series.sample_from_file(tmp_path / "b.hdf5", 1, replace=True)


def write_all(tables, folder):
    folder.mkdir(exist_ok=True)
    files = [folder / f"{i}.hdf5" for i in range(len(tables))]
    for table, file in zip(tables, files, strict=True):
        table.write(file)
    return files


@given(st.lists(event_sets(max_size=6), max_size=5))
def test_aggregate_equals_concatenate(tmp_path_factory, tables):
    folder = tmp_path_factory.mktemp("aggregate")
    files = write_all(tables, folder)
    EventSet.aggregate(files, folder / "all.hdf5", clean=True)
    read = EventSet.read(folder / "all.hdf5")
    joined = EventSet.concatenate(tables)
    np.testing.assert_array_equal(read.detection_time, joined.detection_time)
    np.testing.assert_array_equal(read.shift.ravel(), joined.shift.ravel())
    assert read.Tb == joined.Tb
    assert list(folder.iterdir()) == [folder / "all.hdf5"]


@given(
    st.lists(response_sets(max_size=3, right_pad=1.0), min_size=1, max_size=3)
)
def test_aggregate_of_waveforms(tmp_path_factory, tables):
    folder = tmp_path_factory.mktemp("aggregate")
    cls = type(tables[0])
    files = write_all(tables, folder)
    cls.aggregate(files, folder / "all.hdf5", chunks=(1, 16))
    read = cls.read(folder / "all.hdf5")
    assert read.num_injections == sum(t.num_injections for t in tables)
    assert len(read) == sum(map(len, tables))
    assert all(file.exists() for file in files)


def test_empty_files_give_their_livetime(tmp_path, make_events):
    files = write_all(
        [EventSet(Tb=10.0), make_events(4, Tb=1.0), EventSet(Tb=20.0)],
        tmp_path,
    )
    EventSet.aggregate(files, tmp_path / "all.hdf5")
    read = EventSet.read(tmp_path / "all.hdf5")
    assert (len(read), read.Tb, read.shift.shape) == (4, 31.0, (4, 2))


def test_aggregate_of_blocks_smaller_than_files(tmp_path, monkeypatch):
    monkeypatch.setattr(aggregation, "_BLOCK_BYTES", 100)
    files = write_all([series(7), series(0), series(1), series(9)], tmp_path)
    Series.aggregate(files, tmp_path / "all.hdf5")
    expected = Series.concatenate([series(7), series(1), series(9)])
    assert Series.read(tmp_path / "all.hdf5") == expected


@given(
    st.lists(st.integers(0, 9), max_size=8),
    st.sampled_from([1, 300, 10**9]),
    st.integers(1, 4),
)
def test_aggregate_whatever_is_held(tmp_path_factory, counts, block, together):
    """Rows come in order, whether held, joined, or read a second time."""
    folder = tmp_path_factory.mktemp("held")
    whole = series(sum(counts))
    edges = np.cumsum([0, *counts])
    tables = [whole[i:j] for i, j in pairwise(edges)]
    files = write_all(tables, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aggregation, "_BLOCK_BYTES", block)
        patch.setattr(aggregation, "_FILES_AT_ONCE", together)
        Series.aggregate(files, folder / "all.hdf5", length=len(whole))
    assert Series.read(folder / "all.hdf5") == Series.concatenate(tables)


def test_aggregate_has_one_source_open_at_a_time(tmp_path, monkeypatch):
    opened, most = [], []
    plain_opened = storage.opened

    @contextmanager
    def watched(fname):
        with plain_opened(fname) as file:
            opened.append(fname)
            most.append(len(opened))
            yield file
            opened.remove(fname)

    files = write_all([series(3)] * 5, tmp_path)
    monkeypatch.setattr(storage, "opened", watched)
    Series.aggregate(files, tmp_path / "all.hdf5")
    assert most == [1] * 5
    monkeypatch.setattr(aggregation, "_BLOCK_BYTES", 0)
    Series.aggregate(files, tmp_path / "all.hdf5")
    assert most == [1] * 15


def test_aggregate_needs_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(aggregation, "_BLOCK_BYTES", 2**18)
    table = series(100, size=2500)
    files = write_all([table] * 10, tmp_path)
    tracemalloc.start()
    Series.aggregate(files, tmp_path / "all.hdf5")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * table.series.nbytes


def test_aggregate_dtype(tmp_path):
    files = write_all([series(2), series(2, dtype=np.float64)[:0]], tmp_path)
    Series.aggregate(files, tmp_path / "own.hdf5")
    assert Series.read(tmp_path / "own.hdf5").series.dtype == np.float32
    Series.aggregate(files, tmp_path / "wide.hdf5", dtype=np.float64)
    assert Series.read(tmp_path / "wide.hdf5").number.dtype == np.float64
    series(2, dtype=np.float64).write(files[1])
    Series.aggregate(files, tmp_path / "own.hdf5")
    assert Series.read(tmp_path / "own.hdf5").series.dtype == np.float64


def test_aggregate_of_nothing(tmp_path):
    EventSet.aggregate([], tmp_path / "all.hdf5")
    assert EventSet.read(tmp_path / "all.hdf5") == EventSet()


def test_bad_source_is_named_and_nothing_is_removed(tmp_path):
    files = write_all([series(3), series(3), series(3)], tmp_path)
    files[1].write_bytes(files[1].read_bytes()[:-100])
    target = tmp_path / "all.hdf5"
    target.write_bytes(b"as before")
    with pytest.raises(UserError, match=r"1\.hdf5: truncated"):
        Series.aggregate(files, target, clean=True)
    assert all(file.exists() for file in files)
    assert target.read_bytes() == b"as before"


def change(path, name, value):
    """Write into a column or an attribute; None removes the attribute."""
    with h5py.File(path, "a") as file:
        if name in file:
            file[name][-1] = value
        elif value is None:
            del file.attrs[name]
        else:
            file.attrs[name] = value


BAD = [
    (EventSet, "parameters/detection_statistic", np.nan, "are NaN"),
    (EventSet, "parameters/detection_statistic", np.inf, r"are \+inf"),
    (EventSet, "Tb", -5.0, r"Tb is -5\.0"),
    (EventSet, "Tb", None, "has 3 rows, but root attribute 'Tb' is missing"),
    (RecoveredInjectionSet, "num_injections", -5, "num_injections is -5"),
    (RecoveredInjectionSet, "num_injections", 2, "num_injections is 2, fewer"),
    (RecoveredInjectionSet, "num_injections", 7.5, r"injections is 7\.5"),
    (RecoveredInjectionSet, "num_injections", np.nan, "injections is nan"),
    (RecoveredInjectionSet, "num_injections", np.inf, "injections is inf"),
    (
        RecoveredInjectionSet,
        "num_injections",
        None,
        "has 3 rows, but root attribute 'num_injections' is missing",
    ),
    (RecoveredInjectionSet, "sample_rate", 0.0, r"sample_rate is 0\.0"),
    (LivetimeSet, "parameters/stop", -1.0, "stretch . is"),
]


@pytest.mark.parametrize("block", [1, 100, 2**25])
@pytest.mark.parametrize(("cls", "name", "value", "message"), BAD)
def test_a_source_that_its_class_refuses_is_named_and_nothing_is_lost(
    cls, name, value, message, block, tmp_path, monkeypatch
):
    monkeypatch.setattr(aggregation, "_BLOCK_BYTES", block)
    columns = {name: np.ones(3) for name in cls.columns()}
    given = {"Tb": 1.0, "num_injections": 5, "sample_rate": None}
    given = {key: given[key] for key in cls.metadata_fields() if key in given}
    files = write_all([cls(**columns, **given)] * 3, tmp_path)
    change(files[1], name, value)
    target = tmp_path / "all.hdf5"
    for use in (
        lambda: cls.aggregate(files, target, clean=True),
        lambda: cls.read(files[1]),
    ):
        with pytest.raises(UserError, match=rf"1\.hdf5.*: .*{message}"):
            use()
    assert sorted(tmp_path.iterdir()) == files


def test_an_empty_source_is_checked_too(tmp_path):
    files = write_all([EventSet(Tb=1.0), EventSet(Tb=2.0)], tmp_path)
    change(files[1], "Tb", -2.0)
    with pytest.raises(UserError, match=r"1\.hdf5: EventSet: Tb is -2"):
        EventSet.aggregate(files, tmp_path / "all.hdf5", clean=True)
    assert sorted(tmp_path.iterdir()) == files


@pytest.mark.parametrize("block", [1, 2**25])
def test_values_are_checked_as_they_are_written(
    block, tmp_path, make_events, monkeypatch
):
    monkeypatch.setattr(aggregation, "_BLOCK_BYTES", block)
    files = write_all([make_events(2), make_events(2)], tmp_path)
    change(files[1], "parameters/detection_statistic", 1e300)
    target = tmp_path / "all.hdf5"
    with pytest.raises(UserError, match=r"1\.hdf5.*: .* are \+inf"):
        EventSet.aggregate(files, target, dtype=np.float32, clean=True)
    assert sorted(tmp_path.iterdir()) == files
    EventSet.aggregate(files, target, clean=True)
    assert EventSet.read(target).detection_statistic.max() == 1e300


def test_a_sum_that_is_missing_is_no_zero(tmp_path, make_responses):
    path = tmp_path / "a.hdf5"
    table = make_responses(2)
    table.write(path)
    change(path, "num_injections", None)
    for use in (
        lambda: type(table).read(path),
        lambda: type(table).read(path, 0.0, 1e9),
        lambda: type(table).sample_from_file(path, 1),
    ):
        with pytest.raises(UserError, match=r"2 rows, but .*'num_injections'"):
            use()
    EventSet().write(path)
    change(path, "Tb", None)
    assert EventSet.read(path) == EventSet()


def test_disagreeing_metadata_names_field_values_and_file(
    tmp_path, make_responses
):
    one, two = make_responses(2), make_responses(2, right_pad=2.0)
    files = write_all([one, two], tmp_path)
    with pytest.raises(
        UserError, match=r"right_pad is 1\.0 so far, but 2\.0 in .*1\.hdf5"
    ):
        type(one).aggregate(files, tmp_path / "all.hdf5", clean=True)
    assert all(file.exists() for file in files)


def test_disagreeing_shapes_name_the_file(tmp_path):
    files = write_all([series(2), series(2, size=9)], tmp_path)
    with pytest.raises(UserError, match=r"1\.hdf5: .*series' has rows of"):
        Series.aggregate(files, tmp_path / "all.hdf5")


def test_length_is_checked(tmp_path):
    files = write_all([series(2), series(3)], tmp_path)
    Series.aggregate(files, tmp_path / "all.hdf5", length=5)
    with pytest.raises(UserError, match="have 5 rows, expected 6"):
        Series.aggregate(files, tmp_path / "six.hdf5", clean=True, length=6)
    assert all(file.exists() for file in files)
    assert not (tmp_path / "six.hdf5").exists()


def test_source_twice_or_as_target(tmp_path):
    (file,) = write_all([series(2)], tmp_path)
    with pytest.raises(UserError, match="listed twice"):
        Series.aggregate([file, file], tmp_path / "all.hdf5")
    with pytest.raises(UserError, match="both source and target"):
        Series.aggregate([file], file, clean=True)
    assert file.exists()


def test_import_needs_numpy_and_h5py_only():
    code = (
        "import sys\n"
        "import ledger.events, ledger.injections, ledger.intervals\n"
        "import ledger.testing\n"
        "heavy = {'scipy', 'astropy', 'bilby', 'lal', 'lalsimulation',\n"
        "    'pycbc', 'torch', 'hypothesis', 'tqdm'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
