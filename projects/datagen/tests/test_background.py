from pathlib import Path

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from datagen import background, psds, simulate
from datagen.glitches import GlitchConfig
from gwpy.timeseries import TimeSeriesDict

START = 1_000_000_000.5
CURVES = {"H1": "aLIGO_ZERO_DET_high_P_psd", "L1": "aLIGO_late_asd"}
SETTINGS = {
    "source": "simulated",
    "ifos": ["H1", "L1"],
    "start": START,
    "duration": 8,
    "sample_rate": 512,
    "psds": CURVES,
    "seed": 1,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "background-1000000000.5-8.hdf5"
    background.fetch(path, **SETTINGS)
    return path


def test_gwpy_reads_what_was_written(path: Path):
    series = TimeSeriesDict.read(path, format="hdf5")
    assert list(series) == ["H1", "L1"]
    for ifo, data in series.items():
        assert data.t0.value == START
        assert data.sample_rate.value == 512
        assert data.name == ifo
        assert data.channel.ifo == ifo
        expected = simulate.noise(
            psds.load(CURVES[ifo]),
            ifo=ifo,
            start=START,
            duration=8,
            sample_rate=512,
            seed=1,
        )
        assert np.array_equal(data.value, expected)


def test_layout_is_that_of_gwpy(path: Path, tmp_path: Path):
    series = TimeSeriesDict.read(path, format="hdf5")
    copy = tmp_path / "copy.hdf5"
    series.write(copy, format="hdf5", compression=None)
    with h5py.File(path) as ours, h5py.File(copy) as theirs:
        assert list(ours) == list(theirs)
        for ifo in ours:
            assert dict(ours[ifo].attrs) == dict(theirs[ifo].attrs)
            assert ours[ifo].dtype == theirs[ifo].dtype
            assert ours[ifo].compression is None


def test_chunks(tmp_path: Path):
    path = tmp_path / "background.hdf5"
    background.fetch(path, **(SETTINGS | {"duration": 300, "ifos": ["H1"]}))
    with h5py.File(path) as file:
        assert file["H1"].chunks == (131072,)


def test_files_of_a_split_span_join(tmp_path: Path):
    config = GlitchConfig(2000, frequency=(40, 200))
    settings = SETTINGS | {"glitches": config}
    parts = []
    for start, duration in [(START, 8), (START, 3.5), (START + 3.5, 4.5)]:
        path = tmp_path / f"background-{start}-{duration}.hdf5"
        changed = {"start": start, "duration": duration}
        background.fetch(path, **(settings | changed))
        with h5py.File(path) as file:
            parts.append({ifo: file[ifo][:] for ifo in file})
    whole, left, right = parts
    for ifo in whole:
        joined = np.concatenate([left[ifo], right[ifo]])
        assert np.array_equal(joined, whole[ifo])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "cvmfs"}, "source: 'cvmfs'"),
        ({"ifos": ["H1", "Q1"]}, "unknown interferometer 'Q1'"),
        ({"ifos": ["H1", "V1"]}, "psds: none is given for V1"),
        ({"psds": None}, "psds: none is given for H1, L1"),
        ({"psds": CURVES | {"L1": "nothing_psd"}}, "PSD 'nothing_psd'"),
        ({"sample_rate": 32768}, r"does not cover the band \[20, 16384\]"),
        ({"start": START + 1e-4}, "start"),
    ],
)
def test_failed_fetch_leaves_nothing(tmp_path: Path, options, message):
    path = tmp_path / "background.hdf5"
    with pytest.raises(UserError, match=message):
        background.fetch(path, **(SETTINGS | options))
    assert list(tmp_path.iterdir()) == []


def test_check_accepts(path: Path):
    background.check(path, ["H1", "L1"], 512)
    background.check(path, ["L1"], 512.0)


def test_check_names_a_missing_file(tmp_path: Path):
    with pytest.raises(UserError, match=r"a\.hdf5 does not exist"):
        background.check(tmp_path / "a.hdf5", ["H1"], 512)


def test_check_names_a_foreign_file(tmp_path: Path):
    path = tmp_path / "a.hdf5"
    path.write_text("text")
    with pytest.raises(UserError, match=r"a\.hdf5 is not an HDF5 file"):
        background.check(path, ["H1"], 512)


def test_check_names_a_missing_ifo(path: Path):
    with pytest.raises(UserError, match=r"no data of V1.*has H1, L1"):
        background.check(path, ["H1", "V1"], 512)


def test_check_names_both_sample_rates(path: Path):
    with pytest.raises(UserError, match=r"H1.*512 Hz, 2048 Hz is needed"):
        background.check(path, ["H1", "L1"], 2048)


def test_check_names_the_gps_span_of_nan(path: Path):
    with h5py.File(path, "r+") as file:
        file["L1"][512:768] = np.nan
    span = r"\[1000000001.5, 1000000002\)"
    with pytest.raises(UserError, match=f"{path}: L1 has NaN.*{span}"):
        background.check(path, ["H1", "L1"], 512)


def test_check_names_different_spans(path: Path):
    with h5py.File(path, "r+") as file:
        file["L1"].attrs["x0"] = START + 1
    with pytest.raises(UserError, match="cover different times: H1 from"):
        background.check(path, ["H1", "L1"], 512)


def test_check_names_missing_attributes(path: Path):
    with h5py.File(path, "r+") as file:
        del file["L1"].attrs["dx"]
    with pytest.raises(UserError, match="L1 lacks the attributes"):
        background.check(path, ["H1", "L1"], 512)
