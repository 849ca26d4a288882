import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from datagen import background, gwosc, segments
from gwpy.timeseries import TimeSeriesDict
from scipy import signal

START = 1126259446
IFOS = ["H1", "L1"]


def fetch(server, path: Path, **options) -> None:
    settings = {
        "source": "gwosc",
        "ifos": IFOS,
        "start": START,
        "duration": 32,
        "sample_rate": 4096,
        "host": server.host,
    }
    background.fetch(path, **(settings | options))


def spoil(server, ifo: str, folder: Path, first: int, last: int) -> None:
    """Replace samples of the served file by NaN."""
    copy = folder / "served" / server.files[ifo][0].name
    copy.parent.mkdir()
    shutil.copyfile(server.files[ifo][0], copy)
    with h5py.File(copy, "r+") as file:
        file["strain/Strain"][first:last] = np.nan
    server.files[ifo] = [copy]


def test_query_intersects_pages_and_splits(open_data):
    open_data.segments = {
        "H1_DATA": [(1000, 1100), (1200, 1300), (1300, 1500)],
        "L1_DATA": [(900, 1050), (1240, 2000)],
    }
    found = segments.query(
        "gwosc",
        IFOS,
        1010,
        1490.5,
        min_duration=60,
        max_duration=130,
        host=open_data.host,
    )
    assert found == [(1240, 1365), (1365, 1490.5)]
    assert any("page=2" in path for path in open_data.requests)


def test_query_asks_for_the_flag(open_data):
    open_data.segments = {"H1_CBC_CAT2": [(0, 10)]}
    found = segments.query(
        "gwosc", ["H1"], 2, 8, flag="CBC_CAT2", host=open_data.host
    )
    assert found == [(2, 8)]


def test_query_without_common_time_is_an_error(open_data):
    open_data.segments = {"H1_DATA": [(0, 10)], "L1_DATA": [(10, 20)]}
    with pytest.raises(UserError, match="no segment of at least"):
        segments.query("gwosc", IFOS, 0, 20, host=open_data.host)


def test_failed_query_names_flag_and_span(open_data):
    open_data.segments = {"H1_DATA": [(0, 10)]}
    with pytest.raises(
        gwosc.DownloadError, match=r"L1_DATA in \[0, 20\).*404"
    ):
        segments.query("gwosc", IFOS, 0, 20, host=open_data.host)


def test_fetches_the_real_samples(event_data, tmp_path: Path):
    path = tmp_path / "background.hdf5"
    fetch(event_data, path, start=START + 2, duration=16)
    background.check(path, IFOS, 4096)
    series = TimeSeriesDict.read(path, format="hdf5")
    for ifo in IFOS:
        assert series[ifo].t0.value == START + 2
        with h5py.File(event_data.files[ifo][0]) as file:
            expected = file["strain/Strain"][2 * 4096 : 18 * 4096]
        assert np.array_equal(series[ifo].value, expected)


def test_resamples_real_data(event_data, tmp_path: Path):
    path = tmp_path / "background.hdf5"
    fetch(event_data, path, sample_rate=2048)
    background.check(path, IFOS, 2048)
    with h5py.File(event_data.files["H1"][0]) as file:
        original = file["strain/Strain"][:]
    with h5py.File(path) as file:
        data = file["H1"][:]
    assert len(data) == 32 * 2048
    _, expected = signal.welch(original, 4096, nperseg=4 * 4096)
    frequencies, found = signal.welch(data, 2048, nperseg=4 * 2048)
    band = (frequencies > 20) & (frequencies < 900)
    expected = expected[: len(found)]
    np.testing.assert_allclose(found[band], expected[band], rtol=1e-2)


def test_missing_file_names_ifo_and_segment(event_data, tmp_path: Path):
    event_data.broken.add(event_data.files["L1"][0].name)
    with pytest.raises(
        gwosc.DownloadError,
        match=rf"L1 open data of \[{START}, {START + 32}\).*404",
    ):
        fetch(event_data, tmp_path / "background.hdf5")
    assert list(tmp_path.iterdir()) == []


def test_span_beyond_the_data_names_ifo_and_segment(
    event_data, tmp_path: Path
):
    with pytest.raises(
        gwosc.DownloadError,
        match=rf"H1 open data of \[{START}, {START + 33}\)",
    ):
        fetch(event_data, tmp_path / "background.hdf5", duration=33)


def test_no_server_names_ifo_and_segment(tmp_path: Path, open_data):
    with pytest.raises(gwosc.DownloadError, match="H1 open data of"):
        fetch(
            open_data,
            tmp_path / "background.hdf5",
            host="http://127.0.0.1:1",
        )


@pytest.mark.parametrize("sample_rate", [2048, 4096])
def test_gaps_name_ifo_and_times(event_data, tmp_path: Path, sample_rate):
    spoil(event_data, "L1", tmp_path, 4096, 6144)
    path = tmp_path / "background.hdf5"
    span = rf"\[{START + 1}, {START + 1}\.5\)"
    with pytest.raises(UserError, match=f"L1 has NaN.*{span}"):
        fetch(event_data, path, sample_rate=sample_rate)
    assert not path.exists()


def test_sample_rate_above_the_published_is_an_error(tmp_path: Path):
    with pytest.raises(UserError, match="above the highest rate"):
        gwosc.strain("H1", start=0, duration=1, sample_rate=32768)


@pytest.mark.parametrize("target", [2048, 1024, 1000, 4000])
def test_resampling_keeps_tones_in_place(target: float):
    rate, seconds = 4096, 4
    old = np.arange(rate * seconds) / rate
    new = np.arange(target * seconds) / target
    frequency = 0.85 * target / 2
    tone = np.sin(2 * np.pi * frequency * old + 0.3)
    found = gwosc.resample(tone, rate, target)
    assert len(found) == len(new)
    expected = np.sin(2 * np.pi * frequency * new + 0.3)
    inner = slice(target // 10, -target // 10)
    np.testing.assert_allclose(found[inner], expected[inner], atol=1e-4)


def test_resampling_suppresses_aliases():
    old = np.arange(4 * 4096) / 4096
    tone = np.sin(2 * np.pi * 1030 * old)
    found = gwosc.resample(tone, 4096, 2048)
    assert abs(found[200:-200]).max() < 2e-5


def test_resampling_makes_no_step_at_the_edges():
    data = 1.0 + np.arange(4096) / 4096
    found = gwosc.resample(data, 4096, 2048)
    np.testing.assert_allclose(found, data[::2], atol=1e-4)


@pytest.mark.parametrize(
    ("target", "size", "message"),
    [
        (8192, 4096, "cannot be brought to 8192"),
        (2048 + 1 / 3, 4096, "simple fraction"),
        (2048, 10, "too few"),
    ],
)
def test_resampling_rejects(target, size, message):
    with pytest.raises(UserError, match=message):
        gwosc.resample(np.zeros(size), 4096, target)
