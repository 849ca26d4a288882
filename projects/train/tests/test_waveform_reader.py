import pickle

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from train.waveforms.reader import WaveformReader

RATE = 256


@pytest.fixture
def path(directories):
    return directories[1] / "train_waveforms.hdf5"


def test_rows(path):
    reader = WaveformReader(path, ("plus", "cross"), RATE)
    assert (reader.count, reader.size) == (30, 4 * RATE)
    assert reader.coalescence == round(3.5 * RATE)
    reader = pickle.loads(pickle.dumps(reader))
    rows = [7, 8, 9, 3, 7, 29, 0, 1]
    found = reader.read(rows)
    assert found.dtype == np.float32
    with h5py.File(path) as file:
        for i, row in enumerate(rows):
            for j, name in enumerate(("plus", "cross")):
                expected = file["waveforms"][name][row].astype("f4")
                np.testing.assert_array_equal(found[i, j], expected)
    assert reader.read([]).shape == (0, 2, 4 * RATE)


def test_opened_reader_can_be_sent_to_a_worker(path):
    reader = WaveformReader(path, ("plus",), RATE)
    expected = reader.read([1])
    copy = pickle.loads(pickle.dumps(reader))
    np.testing.assert_array_equal(copy.read([1]), expected)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"there is no .*train_waveforms"):
        WaveformReader(tmp_path / "train_waveforms.hdf5", ("plus",), RATE)


def test_sample_rate_mismatch(path):
    with pytest.raises(UserError, match="512 Hz in the configuration, 256"):
        WaveformReader(path, ("plus", "cross"), 512)


def test_missing_interferometer(directories):
    path = directories[1] / "val_waveforms.hdf5"
    with pytest.raises(UserError, match="not a ledger of waveforms with v1"):
        WaveformReader(path, ("v1",), RATE)


def test_empty_file(tmp_path):
    path = tmp_path / "waveforms.hdf5"
    with h5py.File(path, "w") as file:
        file.attrs["sample_rate"] = float(RATE)
        file.attrs["right_pad"] = 0.5
        file["waveforms/plus"] = np.zeros((0, 1024))
    with pytest.raises(UserError, match="has no waveforms"):
        WaveformReader(path, ("plus",), RATE)
