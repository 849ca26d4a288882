import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from infer import timeseries
from infer.timeseries import SeriesIndex, writing

START = 1_000_000_000.0


def write(path, outputs, t0=START, shifts=(0.0, 1.0), injected=True, step=7):
    with writing(
        path,
        streams=len(outputs),
        injected=injected,
        t0=t0,
        dx=0.25,
        shifts=shifts,
    ) as series:
        for first in range(0, outputs.shape[1], step):
            series.append(outputs[:, first : first + step])
            assert not path.exists()


def noise(streams=2, size=100):
    rng = np.random.default_rng(0)
    return rng.normal(size=(streams, size)).astype(np.float32)


def test_appended_outputs(tmp_path, monkeypatch):
    monkeypatch.setattr(timeseries, "WAITING", 20)
    outputs = noise()
    outputs[:, 30:40] = np.nan
    write(tmp_path / "a.hdf5", outputs)
    with h5py.File(tmp_path / "a.hdf5") as file:
        np.testing.assert_array_equal(file["background"], outputs[0])
        np.testing.assert_array_equal(file["foreground"], outputs[1])
        assert file.attrs["t0"] == START
        assert file.attrs["dx"] == 0.25
        assert file.attrs["length"] == 100
        assert file.attrs["shift"].tolist() == [0.0, 1.0]


def test_one_stream_stands_for_both_or_for_the_background(tmp_path):
    outputs = noise(1)
    for injected in (True, False):
        path = tmp_path / f"{injected}.hdf5"
        write(path, outputs, injected=injected)
        with h5py.File(path) as file:
            assert ("foreground" in file) == injected
            if injected:
                np.testing.assert_array_equal(file["foreground"], outputs[0])


def test_an_error_leaves_nothing(tmp_path):
    wrong = np.zeros((1, 9), dtype=[("not", "f4")])
    with pytest.raises(OSError, match="conversion"):
        write(tmp_path / "a.hdf5", wrong)
    assert list(tmp_path.iterdir()) == []


def test_index_finds_what_covers_a_time(tmp_path):
    files = []
    for t0 in (START + 100, START):
        for shift in (2.0, 1.0):
            path = tmp_path / f"branches/{t0:.0f}-{shift:.0f}/series.hdf5"
            write(path, noise() + shift, t0, (0.0, shift))
            files.append(path)
    made = SeriesIndex.of(files)
    made.write(tmp_path / "timeseries.hdf5")
    index = SeriesIndex.read(tmp_path / "timeseries.hdf5")
    assert index.t0.tolist() == [START] * 2 + [START + 100] * 2
    assert index.shift.tolist() == [[0.0, 1.0], [0.0, 2.0]] * 2
    assert index.length.tolist() == [100] * 4
    row = index.find(START + 24.9, [0.0, 2.0])
    assert row == 1
    assert index.files[row].samefile(files[2])
    with h5py.File(tmp_path / "timeseries.hdf5") as file:
        series = file[f"series/{row}/background"][:]
    np.testing.assert_array_equal(series, (noise() + 2)[0])
    assert index.find(START + 100, [0.0, 1.0]) == 2
    for time, shifts in ((START + 25, [0.0, 1.0]), (START, [0.0, 3.0])):
        with pytest.raises(UserError, match="no outputs are kept of GPS"):
            index.find(time, shifts)


def test_index_moves_with_its_files(tmp_path):
    write(tmp_path / "old/branches/a.hdf5", noise())
    made = SeriesIndex.of([tmp_path / "old/branches/a.hdf5"])
    made.write(tmp_path / "old/timeseries.hdf5")
    (tmp_path / "old").rename(tmp_path / "new")
    index = SeriesIndex.read(tmp_path / "new/timeseries.hdf5")
    assert index.files[0].is_file()
    with h5py.File(tmp_path / "new/timeseries.hdf5") as file:
        assert file["series/0/foreground"].shape == (100,)


def test_files_of_something_else(tmp_path):
    path = tmp_path / "other.hdf5"
    with h5py.File(path, "w") as file:
        file.attrs["t0"] = 1.0
    with pytest.raises(UserError, match="lacks the attribute dx"):
        SeriesIndex.of([path])
    with pytest.raises(UserError, match="no index of network outputs"):
        SeriesIndex.read(path)
    with pytest.raises(UserError, match="no such file"):
        SeriesIndex.of([tmp_path / "none.hdf5"])
