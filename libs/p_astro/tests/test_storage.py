import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from p_astro import Pastro

AT = np.concatenate([[-np.inf, np.inf], np.linspace(-20, 60, 5001)])


def test_round_trip_is_exact(saturated, tmp_path):
    path = tmp_path / "p_astro.hdf5"
    saturated.write(path)
    model = Pastro.read(path)
    np.testing.assert_array_equal(model(AT), saturated(AT))
    for one, two in (
        (model.foreground_model, saturated.foreground_model),
        (model.background_model, saturated.background_model),
    ):
        np.testing.assert_array_equal(one(AT), two(AT))
        assert one.split == two.split
        for name in one.ATTRIBUTES:
            assert getattr(one, name) == getattr(two, name)


def test_written_again_it_is_the_same(exponentials, tmp_path):
    exponentials.at_rate(3).write(tmp_path / "one.hdf5")
    model = Pastro.read(tmp_path / "one.hdf5")
    model.write(tmp_path / "two.hdf5")
    again = Pastro.read(tmp_path / "two.hdf5")
    np.testing.assert_array_equal(model(AT), again(AT))
    assert again.foreground_model.astro_event_rate == 3


def test_origin_is_kept(saturated, tmp_path):
    assert saturated.origin == {}
    model = Pastro(
        saturated.foreground_model,
        saturated.background_model,
        {"background_sha256": "0f", "prior": "some.prior"},
    )
    model.at_rate(2).write(tmp_path / "p_astro.hdf5")
    again = Pastro.read(tmp_path / "p_astro.hdf5")
    assert again.origin == {"background_sha256": "0f", "prior": "some.prior"}


def test_layout(saturated, tmp_path):
    path = tmp_path / "p_astro.hdf5"
    saturated.write(path)
    with h5py.File(path) as file:
        assert file.attrs["format"] == "aframe p_astro"
        assert file.attrs["version"] == 2
        assert set(file) == {"foreground", "background", "origin"}
        assert set(file["background"].attrs) == {
            *("start", "step", "decay", "bandwidth", "count", "livetime")
        }
        assert file["foreground/log_density"].dtype == np.float64


def test_failed_write_leaves_the_file(saturated, tmp_path, monkeypatch):
    path = tmp_path / "p_astro.hdf5"
    saturated.write(path)
    before = path.read_bytes()
    monkeypatch.delattr(saturated.background_model, "livetime")
    with pytest.raises(AttributeError):
        saturated.write(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_file(tmp_path):
    with pytest.raises(UserError, match=r"none\.hdf5: no such file"):
        Pastro.read(tmp_path / "none.hdf5")


def test_no_hdf5(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"a pickle, perhaps")
    with pytest.raises(UserError, match=r"model\.pkl: truncated, or not"):
        Pastro.read(path)


def test_truncated(saturated, tmp_path):
    path = tmp_path / "p_astro.hdf5"
    saturated.write(path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"p_astro\.hdf5"):
        Pastro.read(path)


def test_table_of_events(make_events, tmp_path):
    path = tmp_path / "background.hdf5"
    make_events(np.arange(3.0), 1.0).write(path)
    with pytest.raises(UserError, match=r"background\.hdf5: not a p_astro"):
        Pastro.read(path)


def test_other_version(saturated, tmp_path):
    path = tmp_path / "p_astro.hdf5"
    saturated.write(path)
    with h5py.File(path, "a") as file:
        file.attrs["version"] = 1
    with pytest.raises(UserError, match=r"p_astro\.hdf5: .* version 1;"):
        Pastro.read(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.__delitem__("foreground"),
        lambda file: file.__delitem__("origin"),
        lambda file: file.__delitem__("background/log_density"),
        lambda file: file["background"].attrs.__delitem__("livetime"),
        lambda file: file["foreground"].attrs.__delitem__("decay"),
        lambda file: file["foreground/log_density"].write_direct(
            np.full(file["foreground/log_density"].shape, np.nan)
        ),
    ],
)
def test_incomplete(saturated, tmp_path, damage):
    path = tmp_path / "p_astro.hdf5"
    saturated.write(path)
    with h5py.File(path, "a") as file:
        damage(file)
    with pytest.raises(UserError, match=r"p_astro\.hdf5: incomplete"):
        Pastro.read(path)
