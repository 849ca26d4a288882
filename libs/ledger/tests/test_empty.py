"""A ledger without rows is valid in every place where ledgers go."""

import numpy as np
import pytest

from ledger.events import EventSet, RecoveredInjectionSet
from ledger.injections import (
    BilbyParameterSet,
    InjectionParameterSet,
    InterferometerResponseSet,
    LALParameterSet,
    WaveformPolarizationSet,
    WaveformSet,
    waveform_class_factory,
)

Responses = waveform_class_factory(
    ["H1", "L1"], InterferometerResponseSet, "Responses"
)
CLASSES = [
    EventSet,
    RecoveredInjectionSet,
    BilbyParameterSet,
    LALParameterSet,
    InjectionParameterSet,
    InterferometerResponseSet,
    WaveformPolarizationSet,
    Responses,
    waveform_class_factory(["H1"], WaveformSet, "Validation"),
]


@pytest.mark.parametrize("cls", CLASSES)
def test_table_and_file(cls, tmp_path):
    empty = cls()
    column = next(iter(cls.columns()))
    selections = [slice(None), slice(3, 9), [], np.zeros(0, bool)]
    for rows in selections:
        assert empty[rows] == empty
    with pytest.raises(IndexError):
        empty[0]
    assert empty.is_sorted_by(column)
    assert empty.sort_by(column) == empty
    assert list(empty) == []
    assert cls.concatenate([]) == cls.concatenate([empty, empty]) == empty
    files = [tmp_path / "a.hdf5", tmp_path / "b.hdf5"]
    for file in files:
        empty.write(file, chunks=(8, 8))
    assert cls.read(files[0]) == empty
    assert cls.sample_from_file(files[0], 0) == empty
    for sources in (files, files[:1], []):
        cls.aggregate(sources, tmp_path / "all.hdf5", length=0)
        assert cls.read(tmp_path / "all.hdf5") == empty


@pytest.mark.parametrize("cls", [EventSet, RecoveredInjectionSet])
def test_statistics(cls):
    empty = cls(Tb=31_557_600.0)
    values = np.array([[-np.inf, 0.0], [3.0, np.inf]])
    assert empty.nb(0.0) == 0
    assert empty.nb(values).tolist() == [[0, 0], [0, 0]]
    assert empty.far(values).tolist() == [[1, 1], [1, 1]]
    assert empty.min_far == 1
    assert empty.threshold_at_far(1.0) == -np.inf
    assert empty.threshold_at_far(values[:0]).shape == (0, 2)
    assert empty.significance(3.0, empty.Tb) == pytest.approx(1 - np.exp(-1))
    kept, mask = empty.apply_vetos([(0, 1)], 0, return_mask=True)
    assert (kept, mask.shape) == (empty, (0,))
    assert empty.apply_vetos([], 0, inplace=True) is empty
    assert empty.get_shift([0, 1]) == empty


def test_injections(tmp_path):
    empty = Responses()
    assert empty.waveforms.shape[:2] == (0, 2)
    assert empty.get_times(0, 1) == empty.get_shift([0, 1]) == empty
    x = np.ones((2, 4))
    np.testing.assert_array_equal(empty.inject(x, 0.0), x)
    recovered = RecoveredInjectionSet.recover(EventSet(Tb=1.0), empty)
    assert (len(recovered), recovered.Tb) == (0, 1)
    empty.write(tmp_path / "a.hdf5")
    assert Responses.read(tmp_path / "a.hdf5", 0, 1, [0, 1]) == empty
