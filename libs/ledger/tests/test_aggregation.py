"""Many files joined in one."""

import tracemalloc
from contextlib import contextmanager
from itertools import pairwise

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st

from ledger import aggregation, storage
from ledger.events import EventSet, RecoveredInjectionSet
from ledger.livetime import LivetimeSet
from ledger.testing import event_sets, response_sets


@given(st.lists(event_sets(max_size=6), max_size=5))
def test_aggregate_equals_concatenate(write_all, tmp_path_factory, tables):
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
def test_aggregate_of_waveforms(write_all, tmp_path_factory, tables):
    folder = tmp_path_factory.mktemp("aggregate")
    cls = type(tables[0])
    files = write_all(tables, folder)
    cls.aggregate(files, folder / "all.hdf5", chunks=(1, 16))
    read = cls.read(folder / "all.hdf5")
    assert read.num_injections == sum(t.num_injections for t in tables)
    assert len(read) == sum(map(len, tables))
    assert all(file.exists() for file in files)


def test_empty_files_give_their_livetime(write_all, tmp_path, make_events):
    files = write_all(
        [EventSet(Tb=10.0), make_events(4, Tb=1.0), EventSet(Tb=20.0)],
        tmp_path,
    )
    EventSet.aggregate(files, tmp_path / "all.hdf5")
    read = EventSet.read(tmp_path / "all.hdf5")
    assert (len(read), read.Tb, read.shift.shape) == (4, 31.0, (4, 2))


def test_aggregate_of_blocks_smaller_than_files(
    Series, series, write_all, tmp_path, monkeypatch
):
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
def test_aggregate_whatever_is_held(
    Series, series, write_all, tmp_path_factory, counts, block, together
):
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


def test_aggregate_has_one_source_open_at_a_time(
    Series, series, write_all, tmp_path, monkeypatch
):
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


def test_aggregate_needs_little_memory(
    Series, series, write_all, tmp_path, monkeypatch
):
    monkeypatch.setattr(aggregation, "_BLOCK_BYTES", 2**18)
    table = series(100, size=2500)
    files = write_all([table] * 10, tmp_path)
    tracemalloc.start()
    Series.aggregate(files, tmp_path / "all.hdf5")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * table.series.nbytes


def test_aggregate_dtype(Series, series, write_all, tmp_path):
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


def test_bad_source_is_named_and_nothing_is_removed(
    Series, series, write_all, tmp_path
):
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
    write_all, cls, name, value, message, block, tmp_path, monkeypatch
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


def test_an_empty_source_is_checked_too(write_all, tmp_path):
    files = write_all([EventSet(Tb=1.0), EventSet(Tb=2.0)], tmp_path)
    change(files[1], "Tb", -2.0)
    with pytest.raises(UserError, match=r"1\.hdf5: EventSet: Tb is -2"):
        EventSet.aggregate(files, tmp_path / "all.hdf5", clean=True)
    assert sorted(tmp_path.iterdir()) == files


@pytest.mark.parametrize("block", [1, 2**25])
def test_values_are_checked_as_they_are_written(
    write_all, block, tmp_path, make_events, monkeypatch
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


def test_disagreeing_metadata_names_field_values_and_file(
    write_all, tmp_path, make_responses
):
    one, two = make_responses(2), make_responses(2, right_pad=2.0)
    files = write_all([one, two], tmp_path)
    with pytest.raises(
        UserError, match=r"right_pad is 1\.0 so far, but 2\.0 in .*1\.hdf5"
    ):
        type(one).aggregate(files, tmp_path / "all.hdf5", clean=True)
    assert all(file.exists() for file in files)


def test_disagreeing_shapes_name_the_file(Series, series, write_all, tmp_path):
    files = write_all([series(2), series(2, size=9)], tmp_path)
    with pytest.raises(UserError, match=r"1\.hdf5: .*series' has rows of"):
        Series.aggregate(files, tmp_path / "all.hdf5")


def test_length_is_checked(Series, series, write_all, tmp_path):
    files = write_all([series(2), series(3)], tmp_path)
    Series.aggregate(files, tmp_path / "all.hdf5", length=5)
    with pytest.raises(UserError, match="have 5 rows, expected 6"):
        Series.aggregate(files, tmp_path / "six.hdf5", clean=True, length=6)
    assert all(file.exists() for file in files)
    assert not (tmp_path / "six.hdf5").exists()


def test_source_twice_or_as_target(Series, series, write_all, tmp_path):
    (file,) = write_all([series(2)], tmp_path)
    with pytest.raises(UserError, match="listed twice"):
        Series.aggregate([file, file], tmp_path / "all.hdf5")
    with pytest.raises(UserError, match="both source and target"):
        Series.aggregate([file], file, clean=True)
    assert file.exists()
