import h5py
import numpy as np
import pytest
import scipy.signal
from conventions.errors import UserError
from datagen.noise import MOST_FILES, median_psd, network_psds

RATE = 64.0


def write(path, **channels):
    with h5py.File(path, "w") as file:
        for ifo, data in channels.items():
            dataset = file.create_dataset(ifo, data=data)
            dataset.attrs["x0"] = 1000.0
            dataset.attrs["dx"] = 1 / RATE
    return path


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize("seconds", [4, 5.9, 6, 100, 331.7])
def test_median_psd_is_scipys(seconds, rng):
    data = 1e-21 * rng.normal(size=int(seconds * RATE)) + 1e-22
    _, expected = scipy.signal.welch(data, RATE, nperseg=256, average="median")
    np.testing.assert_allclose(
        median_psd(data, RATE, 4.0), expected, rtol=1e-9
    )


def test_psd_of_a_file_lies_at_the_waveforms_frequencies(rng, tmp_path):
    data = rng.normal(size=6400)
    path = write(tmp_path / "a.hdf5", H1=data, L1=2 * data)
    psds = network_psds([path], ["L1", "H1"], sample_rate=RATE, duration=4.0)
    expected = median_psd(data, RATE, 4.0)
    np.testing.assert_allclose(psds, [4 * expected, expected])
    finer = network_psds(
        [path], ["H1"], sample_rate=RATE, duration=8.0, fftlength=4.0
    )
    np.testing.assert_allclose(finer[0, ::2], expected)
    np.testing.assert_allclose(
        finer[0, 1::2], (expected[:-1] + expected[1:]) / 2
    )


def test_psd_of_files_is_their_median(rng, tmp_path):
    data = rng.normal(size=640)
    scales = [1, 3, 2]
    files = [
        write(tmp_path / f"{scale}.hdf5", H1=scale * data) for scale in scales
    ]
    psds = network_psds(files, ["H1"], sample_rate=RATE, duration=2.0)
    np.testing.assert_allclose(psds[0], 4 * median_psd(data, RATE, 2.0))


def test_only_some_of_many_files_are_read(rng, tmp_path):
    path = write(tmp_path / "a.hdf5", H1=rng.normal(size=640))
    absent = tmp_path / "absent.hdf5"
    files = [path, absent] * MOST_FILES
    files[-1] = path
    with pytest.raises(UserError, match="absent"):
        network_psds(files[:4], ["H1"], sample_rate=RATE, duration=2.0)
    files = [path] * 1000
    psds = network_psds(files, ["H1"], sample_rate=RATE, duration=2.0)
    assert psds.shape == (1, 65)


def test_what_cannot_be_used(rng, tmp_path):
    path = write(tmp_path / "a.hdf5", H1=rng.normal(size=640))
    settings = {"sample_rate": RATE, "duration": 2.0}
    with pytest.raises(UserError, match="background is empty"):
        network_psds([], ["H1"], **settings)
    with pytest.raises(UserError, match="no data of L1"):
        network_psds([path], ["L1"], **settings)
    with pytest.raises(UserError, match="64 Hz, 128 Hz"):
        network_psds([path], ["H1"], sample_rate=128.0, duration=2.0)
    with pytest.raises(UserError, match="shorter than"):
        network_psds([path], ["H1"], fftlength=20.0, **settings)
    with pytest.raises(UserError, match="an even whole number"):
        network_psds([path], ["H1"], fftlength=1.01, **settings)


def test_a_psd_of_zero_is_no_psd(tmp_path):
    path = write(tmp_path / "zero.hdf5", H1=np.zeros(640))
    with pytest.raises(UserError, match=r"zero.hdf5: the PSD vanishes"):
        network_psds([path], ["H1"], sample_rate=RATE, duration=2.0)


def test_missing_samples_are_reported_with_their_time(rng, tmp_path):
    data = rng.normal(size=640)
    data[64] = np.nan
    path = write(tmp_path / "nan.hdf5", H1=data)
    with pytest.raises(UserError, match="1001"):
        network_psds([path], ["H1"], sample_rate=RATE, duration=2.0)
