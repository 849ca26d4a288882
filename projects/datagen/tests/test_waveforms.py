"""Signals end to end, at a low rate so that a waveform takes no time."""

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from datagen import waveforms
from datagen.noise import network_psds
from ledger.injections import (
    InjectionParameterSet,
    InterferometerResponseSet,
    WaveformPolarizationSet,
    WaveformSet,
    waveform_class_factory,
)
from waveforms.snr import ifo_snrs

IFOS = ["H1", "L1"]
RATE = 256.0
GENERATION = {
    "prior": "priors.priors.spin_bbh",
    "sample_rate": RATE,
    "waveform_duration": 4.0,
    "right_pad": 0.5,
    "minimum_frequency": 20.0,
    "reference_frequency": 50.0,
    "waveform_approximant": "IMRPhenomPv2",
    "seed": 11,
}
REJECTION = {"ifos": IFOS, "highpass": 32.0, "snr_threshold": 6.0}
PLACEMENT = {
    "start": 1000.0,
    "stop": 1128.0,
    "shifts": [0.0, 2.0],
    "spacing": 12.0,
    "buffer": 8.0,
    "jitter": 1.0,
}


@pytest.fixture(scope="module")
def background(tmp_path_factory):
    path = tmp_path_factory.mktemp("background") / "background.hdf5"
    rng = np.random.default_rng(3)
    with h5py.File(path, "w") as file:
        for ifo in IFOS:
            data = 4e-23 * np.sqrt(RATE / 2) * rng.normal(size=128 * 256)
            dataset = file.create_dataset(ifo, data=data)
            dataset.attrs["x0"] = 1000.0
            dataset.attrs["dx"] = 1 / RATE
    return path


@pytest.fixture
def testing(background, tmp_path):
    def make(name="a", **values):
        files = tmp_path / f"{name}.hdf5", tmp_path / f"{name}-rejected.hdf5"
        waveforms.testing_waveforms(
            *files,
            background=background,
            **(GENERATION | REJECTION | PLACEMENT | values),
        )
        return files

    return make


ResponseSet = waveform_class_factory(
    IFOS, InterferometerResponseSet, "ResponseSet"
)
ValidationSet = waveform_class_factory(IFOS, WaveformSet, "ValidationSet")


def test_training_waveforms(tmp_path, monkeypatch):
    monkeypatch.setattr(waveforms, "ROWS_AT_ONCE", 8)
    path = tmp_path / "new" / "train_waveforms.hdf5"
    waveforms.training_waveforms(path, num_signals=20, **GENERATION)
    table = WaveformPolarizationSet.read(path)
    assert len(table) == table.num_injections == 20
    assert table.plus.shape == table.cross.shape == (20, 1024)
    assert table.plus.dtype == np.float32
    assert (table.sample_rate, table.duration, table.right_pad) == (
        *(RATE, 4.0),
        0.5,
    )
    peaks = np.hypot(table.plus * 1e20, table.cross * 1e20).argmax(axis=1)
    assert (np.abs(peaks / RATE - 3.5) < 0.1).all()
    assert len(np.unique(table.mass_1)) == 20
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    monkeypatch.setattr(waveforms, "ROWS_AT_ONCE", 64)
    waveforms.training_waveforms(path, num_signals=20, **GENERATION)
    assert WaveformPolarizationSet.read(path) == table


def test_training_waveforms_without_signals(tmp_path):
    path = tmp_path / "none.hdf5"
    waveforms.training_waveforms(path, num_signals=0, **GENERATION)
    table = WaveformPolarizationSet.read(path)
    assert len(table) == 0
    assert table.plus.shape == (0, 1024)
    with pytest.raises(UserError, match="num_signals is -1"):
        waveforms.training_waveforms(path, num_signals=-1, **GENERATION)


def test_a_failure_leaves_nothing_behind(tmp_path):
    path = tmp_path / "train_waveforms.hdf5"
    settings = GENERATION | {"waveform_approximant": "IMRPhenomD"}
    with pytest.raises(UserError, match="LAL cannot make a waveform"):
        waveforms.training_waveforms(path, num_signals=3, **settings)
    assert list(tmp_path.iterdir()) == []


def test_validation_waveforms(background, tmp_path):
    path = tmp_path / "val_waveforms.hdf5"
    waveforms.validation_waveforms(
        path,
        num_signals=12,
        background=[background],
        **GENERATION,
        **REJECTION,
    )
    table = ValidationSet.read(path)
    assert len(table) == 12
    assert table.num_injections > 12
    assert table.ifos == IFOS
    psds = network_psds([background], IFOS, sample_rate=RATE, duration=4.0)
    snrs = ifo_snrs(table.waveforms, psds, RATE, 32.0)
    np.testing.assert_allclose(table.ifo_snrs, snrs, rtol=1e-5)
    np.testing.assert_allclose(table.snr, np.linalg.norm(snrs, axis=1))
    assert (table.snr >= 6).all()


def test_testing_waveforms(testing):
    kept_file, rejected_file = testing()
    kept = ResponseSet.read(kept_file)
    rejected = InjectionParameterSet.read(rejected_file)
    assert len(kept) == 7
    assert kept.num_injections == len(kept) + len(rejected)
    assert (kept.snr >= 6).all()
    assert (rejected.snr < 6).all()
    assert rejected.ifo_snrs.shape == (len(rejected), 2)
    assert (kept.shift == [0.0, 2.0]).all()
    regular = 1000 + 8 + 2 + 16 * np.arange(7)
    moved = kept.injection_time - regular
    assert (np.abs(moved) <= 1).all()
    assert np.ptp(moved) > 0.1
    assert kept.h1.dtype == np.float32
    masses = np.concatenate([kept.mass_1, rejected.mass_1])
    assert len(np.unique(masses)) == len(masses)


def test_testing_waveforms_have_the_published_layout(testing):
    kept_file, rejected_file = testing()
    with h5py.File(kept_file) as file:
        assert set(file["waveforms"]) == {"h1", "l1"}
        assert {"snr", "ifo_snrs", "injection_time", "shift", "mass_1"} < set(
            file["parameters"]
        )
        assert file.attrs["length"] == 7
        assert file.attrs["right_pad"] == 0.5
    with h5py.File(rejected_file) as file:
        assert "waveforms" not in file or not len(file["waveforms"])


def test_signals_depend_on_their_segment_and_shift_alone(testing):
    first = ResponseSet.read(testing("first")[0])
    again = ResponseSet.read(testing("again")[0])
    assert first == again
    others = [
        testing("shift", shifts=[0.0, 3.0]),
        testing("later", start=1001.0),
        testing("seed", seed=12),
    ]
    for kept_file, _ in others:
        other = ResponseSet.read(kept_file)
        assert not np.isin(other.mass_1, first.mass_1).any()


def test_a_segment_without_room_gives_empty_files(testing, tmp_path):
    files = testing("empty", stop=1010.0)
    table = ResponseSet.read(files[0])
    assert len(table) == table.num_injections == 0
    assert table.waveforms.shape == (0, 2, 1024)
    assert len(InjectionParameterSet.read(files[1])) == 0
    full = testing("full")
    last = testing("last", stop=1005.0)
    for row, table in enumerate((ResponseSet, InjectionParameterSet)):
        merged = tmp_path / f"merged-{row}.hdf5"
        waveforms.merge([files[row], full[row], last[row]], merged)
        assert table.read(merged) == table.read(full[row])


def test_merge_joins_each_kind(testing, tmp_path):
    files = [testing("a"), testing("b", shifts=[0.0, 1.0])]
    merged = [tmp_path / "waveforms.hdf5", tmp_path / "rejected.hdf5"]
    for row in (0, 1):
        waveforms.merge([pair[row] for pair in files], merged[row])
    kept = ResponseSet.read(merged[0])
    rejected = InjectionParameterSet.read(merged[1])
    assert len(kept) == 14
    assert kept.num_injections == 14 + len(rejected)
    assert set(map(tuple, kept.shift)) == {(0.0, 2.0), (0.0, 1.0)}
    polarizations = tmp_path / "train.hdf5"
    waveforms.training_waveforms(polarizations, num_signals=2, **GENERATION)
    copy = tmp_path / "copy.hdf5"
    waveforms.training_waveforms(copy, num_signals=2, **GENERATION)
    waveforms.merge([polarizations, copy], tmp_path / "both.hdf5")
    both = WaveformPolarizationSet.read(tmp_path / "both.hdf5")
    assert len(both) == 4


def test_merge_of_nothing_or_of_something_else(tmp_path):
    target = tmp_path / "merged.hdf5"
    with pytest.raises(UserError, match="no files"):
        waveforms.merge([], target)
    with pytest.raises(UserError, match=r"absent.hdf5: no such file"):
        waveforms.merge([tmp_path / "absent.hdf5"], target)
    (tmp_path / "text.hdf5").write_text("text")
    with pytest.raises(UserError, match="not an HDF5 file"):
        waveforms.merge([tmp_path / "text.hdf5"], target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"jitter": 7.0}, "jitter is 7.0 s"),
        ({"shifts": [0.0]}, r"shifts \[0.0\] are 1, but ifos"),
        ({"prior": "priors.priors.none"}, "has no function 'none'"),
        (
            {
                "prior": "priors.priors.log_normal_masses",
                "prior_arguments": {"m1": 35, "m2": 35},
            },
            "says nothing about a_1",
        ),
        ({"ifos": ["H1", "V1"]}, "no data of V1"),
        ({"sample_rate": 128.0}, "256 Hz, 128 Hz"),
        ({"highpass": 200.0}, "no frequency lies between highpass 200"),
        ({"waveform_approximant": "None"}, "unknown to LAL"),
    ],
)
def test_bad_settings_write_nothing(values, message, testing, tmp_path):
    with pytest.raises(UserError, match=message):
        testing("bad", **values)
    assert list(tmp_path.iterdir()) == []
