import pickle

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from train.data.background import (
    RandomKernels,
    Reader,
    Stretch,
    find,
    hold_out,
)

RATE = 256
IFOS = ("H1", "L1")


@pytest.fixture
def directory(directories):
    return directories[0]


def test_files_are_found_in_order(directory):
    found = find(directory, IFOS, RATE)
    assert [s.path.name for s in found] == [
        "background-1000-60.hdf5",
        "background-1060-140.hdf5",
    ]
    assert [s.size for s in found] == [60 * RATE, 140 * RATE]


def test_missing_directory(tmp_path):
    with pytest.raises(UserError, match=r"background_dir: .*none is not a di"):
        find(tmp_path / "none", IFOS, RATE)


def test_empty_directory(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match="no files background-"):
        find(tmp_path, IFOS, RATE)


def test_sample_rate_mismatch(directory):
    with pytest.raises(UserError) as caught:
        find(directory, IFOS, 512)
    assert "512 Hz in the configuration, 256 Hz in" in str(caught.value)


def test_missing_ifo(directory):
    with pytest.raises(UserError, match="has no data of V1, it has H1, L1"):
        find(directory, ("H1", "V1"), RATE)


def test_not_a_background_file(tmp_path):
    path = tmp_path / "background-0-1.hdf5"
    path.write_text("nothing")
    with pytest.raises(UserError, match="is not a background file"):
        find(tmp_path, IFOS, RATE)
    with h5py.File(path, "w") as file:
        file["H1"] = np.zeros(4)
    with pytest.raises(UserError, match="is not a background file"):
        find(tmp_path, ("H1",), RATE)


@pytest.mark.parametrize(
    ("size", "start", "message"),
    [(11, 0.0, "unequal lengths"), (10, 1.0, "unequal starts")],
)
def test_unequal_channels(tmp_path, size, start, message):
    path = tmp_path / "background-0-1.hdf5"
    with h5py.File(path, "w") as file:
        for ifo, length, x0 in (("H1", 10, 0.0), ("L1", size, start)):
            file[ifo] = np.zeros(length)
            file[ifo].attrs.update(dx=1 / RATE, x0=x0)
    with pytest.raises(UserError, match=message):
        find(tmp_path, IFOS, RATE)


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 150, 299, 300, 400])
def test_held_out_is_the_end_and_disjoint(tmp_path, size):
    stretches = [
        Stretch(tmp_path / name, 0, length)
        for name, length in (("a", 100), ("b", 100), ("c", 100))
    ]
    train, valid = hold_out(stretches, size)
    assert sum(s.size for s in valid) == min(size, 300)
    samples = [
        (s.path.name, i)
        for part in (train, valid)
        for s in part
        for i in range(s.start, s.stop)
    ]
    everything = [(s.path.name, i) for s in stretches for i in range(100)]
    assert samples == everything


def test_reader_returns_the_samples(directory):
    reader = pickle.loads(pickle.dumps(Reader(IFOS)))
    path = directory / "background-1060-140.hdf5"
    with h5py.File(path) as file:
        expected = file["L1"][2000:2100].astype("f4")
    out = np.empty(100, dtype=np.float32)
    reader.read_into(out, path, 1, 2000)
    np.testing.assert_array_equal(out, expected)


def test_nan_is_named(tmp_path, background_writer):
    path = tmp_path / "background-0-10.hdf5"
    background_writer(path, 0, 10, 1)
    with h5py.File(path, "r+") as file:
        file["L1"][700] = np.nan
    out = np.empty(100, dtype=np.float32)
    reader = Reader(IFOS)
    reader.read_into(out, path, 1, 0)
    with pytest.raises(UserError, match=r"L1 .* not finite between 650"):
        reader.read_into(out, path, 1, 650)


@pytest.fixture
def ramps(tmp_path):
    """Files whose samples tell file, channel and time."""
    stretches = []
    for number, size in enumerate((1000, 3000)):
        path = tmp_path / f"background-{number}-0.hdf5"
        with h5py.File(path, "w") as file:
            for channel, ifo in enumerate(IFOS):
                ramp = np.arange(size) + 1e4 * number + 1e5 * channel
                file.create_dataset(ifo, data=ramp, chunks=(128,))
        stretches.append(Stretch(path, 100, size))
    return stretches


def test_draws_are_contiguous_independent_and_weighted(ramps):
    kernels = RandomKernels(ramps, IFOS, 50)
    X = kernels.draw(2000, np.random.default_rng(1))
    assert X.shape == (2000, 2, 50)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(np.diff(X), 1)
    X[:, 1] -= 1e5
    number, start = np.divmod(X[..., 0], 1e4)
    # weights: 851 and 2851 possible starts
    assert number.mean() == pytest.approx(2851 / 3702, abs=0.03)
    assert start.min() >= 100
    assert start[number == 0].max() <= 950
    assert start[number == 1].max() <= 2950
    assert start[number == 1].max() > 2900
    correlation = np.corrcoef(start[:, 0], start[:, 1])[0, 1]
    assert abs(correlation) < 0.1


def test_draws_repeat_with_the_seed(ramps):
    kernels = RandomKernels(ramps, IFOS, 50)
    one, two, other = (
        kernels.draw(5, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_too_short_stretches(ramps):
    RandomKernels(ramps, IFOS, 2900)
    with pytest.raises(UserError, match="the longest has 2900"):
        RandomKernels(ramps, IFOS, 2901)
