"""Reading and writing; storage.py too."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st

from ledger import storage
from ledger.events import EventSet, RecoveredInjectionSet
from ledger.injections import InjectionParameterSet, WaveformPolarizationSet


def test_round_trip_keeps_dtype_and_shape(Series, series, tmp_path):
    table = series(5)
    table.write(tmp_path / "a.hdf5")
    read = Series.read(tmp_path / "a.hdf5")
    assert read == table
    assert (read.number.dtype, read.series.dtype) == (np.int32, np.float32)


dtypes = st.sampled_from(["f4", "f8", ">f8", "i4", "i8", "u1", "?", "c8"])


@given(st.integers(0, 5), st.integers(0, 3), st.integers(0, 4), dtypes, dtypes)
def test_round_trips_keep_dtype_and_shape(
    Series, write_all, tmp_path_factory, count, width, size, one, two
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


def test_empty_keeps_row_shape(Series, series, tmp_path):
    empty = series(3)[:0]
    empty.write(tmp_path / "a.hdf5")
    assert Series.read(tmp_path / "a.hdf5").series.shape == (0, 8)
    Series.aggregate([tmp_path / "a.hdf5"], tmp_path / "b.hdf5")
    assert Series.read(tmp_path / "b.hdf5").series.shape == (0, 8)


def test_chunks_are_for_waveforms_and_cut_to_size(series, tmp_path):
    series(5).write(tmp_path / "a.hdf5", chunks=(2, 100))
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert file["waveforms/series"].chunks == (2, 8)
        assert file["parameters/number"].chunks is None
    with pytest.raises(UserError, match=r"chunks \(2,\)"):
        series(5).write(tmp_path / "b.hdf5", chunks=(2,))
    assert not (tmp_path / "b.hdf5").exists()


def test_failed_write_leaves_the_old_file(Series, series, tmp_path):
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


def test_truncated_file(Series, series, tmp_path):
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
def test_foreign_file_is_named(Series, series, tmp_path, change, message):
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
def test_truncated_anywhere(
    Series, series, write_all, tmp_path_factory, fraction
):
    folder = tmp_path_factory.mktemp("truncated")
    one, two = write_all([series(20), series(20)], folder)
    whole = two.read_bytes()
    two.write_bytes(whole[: int(fraction * len(whole))])
    with pytest.raises(UserError, match=f"{two}: truncated"):
        Series.read(two)
    with pytest.raises(UserError, match=f"{two}: truncated"):
        Series.aggregate([one, two], folder / "all.hdf5", clean=True)
    assert sorted(folder.iterdir()) == [one, two]


def test_damaged_data_name_the_file(Series, series, tmp_path):
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


def test_length_stored_as_float_is_read(Series, series, tmp_path):
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


def test_sample_without_replacement(Series, series, tmp_path, rng):
    series(50).write(tmp_path / "a.hdf5")
    chosen = Series.sample_from_file(tmp_path / "a.hdf5", 20, rng=rng)
    assert len(set(chosen.number)) == 20
    assert not chosen.is_sorted_by("number")
    np.testing.assert_array_equal(chosen.series[:, 0], 8 * chosen.number)
    everything = Series.sample_from_file(tmp_path / "a.hdf5", 50, rng=rng)
    assert sorted(everything.number) == list(range(50))


def test_sample_with_replacement(
    Series, series, tmp_path, rng, make_responses
):
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


def test_sample_of_too_few(Series, series, tmp_path):
    series(3).write(tmp_path / "a.hdf5")
    with pytest.raises(UserError, match="4 rows asked for, 3 are there"):
        Series.sample_from_file(tmp_path / "a.hdf5", 4)
    Series().write(tmp_path / "b.hdf5")
    with pytest.raises(UserError, match="1 rows asked for, 0 are there"):
        Series.sample_from_file(tmp_path / "b.hdf5", 1, replace=True)


def test_a_sum_that_is_missing_is_no_zero(tmp_path, make_responses):
    path = tmp_path / "a.hdf5"
    table = make_responses(2)
    table.write(path)
    with h5py.File(path, "a") as file:
        del file.attrs["num_injections"]
    for use in (
        lambda: type(table).read(path),
        lambda: type(table).read(path, 0.0, 1e9),
        lambda: type(table).sample_from_file(path, 1),
    ):
        with pytest.raises(UserError, match=r"2 rows, but .*'num_injections'"):
            use()
    EventSet().write(path)
    with h5py.File(path, "a") as file:
        del file.attrs["Tb"]
    assert EventSet.read(path) == EventSet()


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
