import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from gwpy.timeseries import TimeSeries, TimeSeriesDict
from infer.search.strain import channels_by_ifo, read

IFOS = ("H1", "L1")
START = 1_000_000_000


def noise(seed=0, size=4096):
    return np.random.default_rng(seed).normal(size=size)


def write_gwosc(path, strain, ifo="H1", start=START, rate=1024.0):
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("strain/Strain", data=strain)
        dataset.attrs["Xstart"] = start
        dataset.attrs["Xspacing"] = 1 / rate
        if ifo:
            file["meta/Detector"] = ifo
    return path


def test_gwosc_file_says_ifo_start_and_rate(tmp_path):
    strain = noise()
    one, other = (
        write_gwosc(tmp_path / f"{ifo}.hdf5", strain, ifo) for ifo in IFOS
    )
    series = read([one, other], IFOS)
    assert [(s.ifo, s.start, s.sample_rate) for s in series] == [
        ("H1", START, 1024.0),
        ("L1", START, 1024.0),
    ]
    np.testing.assert_array_equal(series[0].strain, strain)
    assert series[0].stop == START + 4


def test_gwosc_file_without_detector_takes_ifo_from_its_name(tmp_path):
    path = write_gwosc(tmp_path / "L-L1_LOSC_4_V2-1-4.hdf5", noise(), None)
    other = write_gwosc(tmp_path / "h.hdf5", noise())
    assert read([path, other], IFOS)[0].ifo == "L1"
    nameless = write_gwosc(tmp_path / "strain.hdf5", noise(), None)
    with pytest.raises(UserError, match="which interferometer"):
        read([nameless, other], IFOS)


def test_real_file_reads_as_gwpy_does(event_files):
    paths = event_files("1126259446")
    for path, series in zip(paths, read(paths, IFOS), strict=True):
        expected = TimeSeries.read(path, format="hdf5.gwosc")
        np.testing.assert_array_equal(series.strain, expected.value)
        assert series.start == expected.t0.value
        assert series.sample_rate == expected.sample_rate.value


def test_background_file_of_all_ifos(tmp_path):
    path = tmp_path / "background-1000000000-4.hdf5"
    strains = {ifo: noise(i) for i, ifo in enumerate(("V1", *IFOS))}
    TimeSeriesDict(
        {
            ifo: TimeSeries(x, t0=START, sample_rate=1024)
            for ifo, x in strains.items()
        }
    ).write(path, format="hdf5")
    series = read([path], IFOS)
    assert sorted(s.ifo for s in series) == ["H1", "L1"]
    for one in series:
        np.testing.assert_array_equal(one.strain, strains[one.ifo])


def test_frames_by_channel(tmp_path):
    paths = []
    for i, ifo in enumerate(IFOS):
        paths.append(tmp_path / f"{ifo[0]}-{ifo}_TEST-{START}-4.gwf")
        TimeSeries(
            noise(i), t0=START, sample_rate=1024, channel=f"{ifo}:STRAIN"
        ).write(paths[-1], format="gwf")
    channels = channels_by_ifo(["H1:STRAIN", "L1:STRAIN"])
    series = read(paths, IFOS, channels)
    assert [s.ifo for s in series] == ["H1", "L1"]
    np.testing.assert_array_equal(series[1].strain, noise(1))
    with pytest.raises(UserError, match=r"--channel.*H1:STRAIN"):
        read(paths, IFOS)
    with pytest.raises(UserError, match="H1:OTHER"):
        read(paths, IFOS, channels_by_ifo(["H1:OTHER"]))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["STRAIN"], "must look like H1:NAME"),
        (["H1:"], "must look like H1:NAME"),
        (["H1:A", "H1:B"], "both of H1"),
    ],
)
def test_bad_channels(names, message):
    with pytest.raises(UserError, match=message):
        channels_by_ifo(names)


def test_missing_file_and_missing_ifo_are_named(tmp_path):
    path = write_gwosc(tmp_path / "h.hdf5", noise())
    with pytest.raises(UserError, match=r"no file holds L1.*h\.hdf5"):
        read([path], IFOS)
    with pytest.raises(UserError, match=r"there is no file .*absent"):
        read([path, tmp_path / "absent.hdf5"], IFOS)


def test_ifo_that_the_network_does_not_know(tmp_path):
    path = write_gwosc(tmp_path / "v.hdf5", noise(), "V1")
    with pytest.raises(UserError, match="is strain of V1"):
        read([path], IFOS)


def test_foreign_and_broken_files(tmp_path):
    text = tmp_path / "strain.txt"
    text.write_text("1 2 3")
    with pytest.raises(UserError, match="neither HDF5 nor a frame"):
        read([text], IFOS)
    foreign = tmp_path / "foreign.hdf5"
    with h5py.File(foreign, "w") as file:
        file["parameters"] = noise()
    with pytest.raises(UserError, match="it holds: parameters"):
        read([foreign], IFOS)
    bare = tmp_path / "bare.hdf5"
    with h5py.File(bare, "w") as file:
        file["H1"] = noise()
    with pytest.raises(UserError, match="/H1 has no attribute x0"):
        read([bare], IFOS)
    broken = write_gwosc(tmp_path / "broken.hdf5", noise(size=100_000))
    broken.write_bytes(broken.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"broken\.hdf5 cannot be read"):
        read([broken], IFOS)
    frame = tmp_path / "H-H1_TEST-0-4.gwf"
    frame.write_bytes(b"no frame")
    with pytest.raises(UserError, match="cannot be read"):
        read([frame], IFOS, channels_by_ifo(["H1:STRAIN"]))
