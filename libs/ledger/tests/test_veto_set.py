import h5py
import numpy as np
import pytest
from conventions.errors import UserError

from ledger.events import EventSet
from ledger.veto_set import VetoSet


@pytest.fixture
def vetos():
    return VetoSet(
        {
            "CAT1": {"H1": [(10, 20), (5, 12)], "L1": []},
            "GATES": {"H1": [(19, 30)], "L1": [(1.5, 2.5)]},
        },
        settings={"vetos": ["CAT1", "GATES"]},
        notes={"warnings": ["one"]},
    )


def test_union_of_categories_in_the_order_of_ifos(vetos):
    both = vetos.of(["CAT1", "GATES"], ["L1", "H1"])
    assert [rows.tolist() for rows in both] == [[[1.5, 2.5]], [[5, 30]]]
    assert vetos.of(["CAT1"], ["H1"])[0].tolist() == [[5, 20]]
    assert vetos.of([], ["H1", "L1"])[1].shape == (0, 2)


def test_round_trip(vetos, tmp_path):
    vetos.write(tmp_path / "vetos.hdf5")
    read = VetoSet.read(tmp_path / "vetos.hdf5")
    assert read.settings == vetos.settings
    assert read.notes == vetos.notes
    assert list(read.intervals) == ["CAT1", "GATES"]
    for category, by_ifo in vetos.intervals.items():
        for ifo, rows in by_ifo.items():
            np.testing.assert_array_equal(read.intervals[category][ifo], rows)
            assert rows.shape[1] == 2
    with h5py.File(tmp_path / "vetos.hdf5") as file:
        assert file["vetos/CAT1/H1"][:].tolist() == [[5, 20]]


@pytest.mark.parametrize(
    ("category", "ifo", "message"),
    [
        ("CAT2", "H1", r"no vetoes of category CAT2 \(there are CAT1, GATES"),
        ("CAT1", "V1", "of category CAT1 are for H1, L1, not for V1"),
    ],
)
def test_what_is_missing_is_named(vetos, category, ifo, message):
    with pytest.raises(UserError, match=message):
        vetos.of([category], [ifo])


def test_reversed_interval():
    with pytest.raises(UserError, match=r"vetoes CAT3: interval 0 is \(2.0"):
        VetoSet({"CAT3": {"H1": [(2, 1)]}})


def test_settings_that_are_no_mapping(vetos, tmp_path):
    path = tmp_path / "vetos.hdf5"
    for value in (3.5, [1], "x"):
        vetos.write(path)
        with h5py.File(path, "a") as file:
            del file["settings"]
            file["settings"] = value
        with pytest.raises(UserError, match=r"vetos\.hdf5: not a file of"):
            VetoSet.read(path)


def test_foreign_files(tmp_path):
    EventSet().write(tmp_path / "events.hdf5")
    with pytest.raises(UserError, match="not a file of vetoed times"):
        VetoSet.read(tmp_path / "events.hdf5")
    with pytest.raises(UserError, match="no such file"):
        VetoSet.read(tmp_path / "absent.hdf5")
