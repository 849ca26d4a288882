"""Files of the public aframe, written and read with h5py alone."""

import h5py
import numpy as np
import pytest

from ledger.events import EventSet, RecoveredInjectionSet
from ledger.injections import (
    InjectionParameterSet,
    InterferometerResponseSet,
    WaveformPolarizationSet,
    WaveformSet,
    waveform_class_factory,
)

IFOS = ["H1", "L1"]
BINARY = {
    *("mass_1", "mass_2", "a_1", "a_2", "tilt_1", "tilt_2", "phi_12"),
    *("phi_jl", "ra", "dec", "redshift", "psi", "theta_jn", "phase"),
}
INJECTION = {*BINARY, "snr", "ifo_snrs"}
EVENT = {"detection_statistic", "detection_time", "shift"}
MADE = {"sample_rate", "duration", "right_pad", "num_injections"}

Responses = waveform_class_factory(
    IFOS, InterferometerResponseSet, "Responses"
)
Validation = waveform_class_factory(IFOS, WaveformSet, "Validation")

# class, parameters, waveforms, root attributes beside the length
LAYOUTS = [
    (EventSet, EVENT, set(), {"Tb"}),
    (
        RecoveredInjectionSet,
        {*EVENT, *INJECTION, "injection_time"},
        set(),
        {*MADE, "ifos", "Tb"},
    ),
    (InjectionParameterSet, INJECTION, set(), {"ifos"}),
    (
        Responses,
        {*INJECTION, "injection_time", "shift"},
        {"h1", "l1"},
        {*MADE, "ifos"},
    ),
    (Validation, INJECTION, {"h1", "l1"}, {*MADE, "ifos"}),
    (WaveformPolarizationSet, BINARY, {"cross", "plus"}, MADE),
]
ATTRIBUTES = {
    "Tb": 3e7,
    "sample_rate": 16.0,
    "duration": 2.0,
    "right_pad": 0.5,
    "num_injections": 10,
    "ifos": IFOS,
}


def values(name, count, rng):
    if name in ("shift", "ifo_snrs"):
        return rng.uniform(size=(count, 2))
    if name in ("h1", "l1", "cross", "plus"):
        return rng.normal(size=(count, 32))
    return rng.uniform(size=count)


@pytest.mark.parametrize("count", [0, 1, 6])
@pytest.mark.parametrize(
    ("cls", "parameters", "waveforms", "attributes"), LAYOUTS
)
def test_their_files_are_read(
    tmp_path, rng, cls, parameters, waveforms, attributes, count
):
    path = tmp_path / "theirs.hdf5"
    written = {
        name: values(name, count, rng) for name in parameters | waveforms
    }
    with h5py.File(path, "w") as file:
        file.attrs["length"] = count
        for name in attributes:
            file.attrs[name] = ATTRIBUTES[name]
        group = file.create_group("parameters")
        for name in parameters:
            group.create_dataset(name, data=written[name])
        for name in waveforms:
            file.create_dataset(f"waveforms/{name}", data=written[name])
    ledger = cls.read(path)
    assert len(ledger) == count
    for name, value in written.items():
        np.testing.assert_array_equal(getattr(ledger, name), value)
    for name in attributes:
        assert getattr(ledger, name) == ATTRIBUTES[name]
        assert type(getattr(ledger, name)) is type(ATTRIBUTES[name])


@pytest.mark.parametrize("aggregated", [False, True])
@pytest.mark.parametrize(
    ("cls", "parameters", "waveforms", "attributes"), LAYOUTS
)
def test_our_files_have_exactly_that_layout(
    tmp_path, rng, cls, parameters, waveforms, attributes, aggregated
):
    path = tmp_path / "ours.hdf5"
    columns = {name: values(name, 4, rng) for name in cls.columns()}
    metadata = {name: ATTRIBUTES[name] for name in cls.metadata_fields()}
    cls(**columns, **metadata).write(path)
    if aggregated:
        source, path = path, tmp_path / "joined.hdf5"
        cls.aggregate([source], path, clean=True)
    with h5py.File(path) as file:
        groups = {"parameters"} | ({"waveforms"} if waveforms else set())
        assert set(file) == groups
        assert set(file["parameters"]) == parameters
        assert set(file.get("waveforms", ())) == waveforms
        assert set(file.attrs) == {"length", *attributes}
        assert file.attrs["length"] == 4
        assert np.issubdtype(file.attrs["length"].dtype, np.integer)
        for name in attributes:
            assert list(np.atleast_1d(file.attrs[name])) == list(
                np.atleast_1d(ATTRIBUTES[name])
            )
        for name, value in columns.items():
            group = "waveforms" if name in waveforms else "parameters"
            np.testing.assert_array_equal(file[group][name], value)


def test_their_empty_file(tmp_path):
    """There an unset list is an empty float array, and None is absent."""
    path = tmp_path / "theirs.hdf5"
    with h5py.File(path, "w") as file:
        file.attrs["length"] = 0
        file.attrs["num_injections"] = 0
        file.attrs["ifos"] = []
        for name in InterferometerResponseSet.columns():
            file.create_dataset(f"parameters/{name}", data=np.array([]))
    ledger = InterferometerResponseSet.read(path)
    assert ledger == InterferometerResponseSet()
    assert ledger.sample_rate is None
    assert len(InterferometerResponseSet.read(path, 0.0, 1.0, [0, 1])) == 0
