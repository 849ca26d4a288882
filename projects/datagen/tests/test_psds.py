from pathlib import Path

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from datagen import psds


def test_curve_directory_is_that_of_bilby():
    import bilby.gw.detector

    expected = Path(bilby.gw.detector.__file__).parent / "noise_curves"
    assert psds.curve_directory() == expected


def test_amplitude_and_power_curves_agree_with_bilby():
    from bilby.gw.detector import PowerSpectralDensity

    frequencies = np.array([25.0, 100.0, 500.0, 1000.0])
    for name, kind in [
        ("aLIGO_ZERO_DET_high_P_psd", "psd_file"),
        ("aLIGO_ZERO_DET_high_P_asd.txt", "asd_file"),
        ("AdV_asd", "asd_file"),
    ]:
        file = name.removesuffix(".txt") + ".txt"
        theirs = PowerSpectralDensity(**{kind: file})
        expected = theirs.power_spectral_density_interpolated(frequencies)
        found = psds.load(name)(frequencies)
        np.testing.assert_allclose(found, expected, rtol=2e-3)


def test_hdf5_file(real_data: Path):
    path = real_data / "psds" / "H1" / "psd-0.hdf"
    psd = psds.load(path)
    psd.check(20, 1024)
    with h5py.File(path) as file:
        np.testing.assert_allclose(
            psd(np.arange(20.0, 1025)), file["data"][20:], rtol=1e-12
        )


def test_interpolates_the_logarithm():
    psd = psds.Psd(np.array([0.0, 10.0]), np.array([1e-40, 1e-44]), "x")
    assert psd(np.array([5.0]))[0] == pytest.approx(1e-42)


def test_values_that_are_zero_outside_the_band_do_not_matter():
    psd = psds.Psd(np.arange(4.0), np.array([0, 0, 4e-46, 2e-46]), "x")
    psd.check(2, 3)
    assert psd(np.array([2.0, 3.0])) == pytest.approx([4e-46, 2e-46])


@pytest.mark.parametrize(
    ("frequencies", "values", "message"),
    [
        ([25.0, 2000.0], [1, 1], r"curve does not cover.*\[20, 1024\] Hz"),
        ([10.0, 1000.0], [1, 1], "reaches from 10 to 1000 Hz"),
        ([10.0, 100, 2000], [1, 0, 1], "value at 100 Hz is 0"),
        ([10.0, 100, 2000], [1, np.nan, 1], "value at 100 Hz is nan"),
        ([10.0, 100, 2000], [-1, 1, 1], "value at 10 Hz is -1"),
    ],
)
def test_uncovered_bands_are_named(frequencies, values, message):
    psd = psds.Psd(np.array(frequencies), np.array(values), "curve")
    with pytest.raises(UserError, match=message):
        psd.check(20, 1024)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("noise.txt", "1 1\n2 1\n", "must end in 'psd' or 'asd'"),
        ("a_psd.txt", "1 1 1\n2 1 1\n", "3 columns, two are needed"),
        ("a_psd.txt", "one two\n", "not a table of numbers"),
        ("a_asd.txt", "2 1\n1 1\n", "increasing frequencies"),
        ("a_asd.txt", "2 1\n", "two or more"),
        ("a.hdf5", "1 1\n", "an HDF5 file with a dataset 'data'"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UserError, match=f"PSD {path}.*{message}"):
        psds.load(path)


def test_hdf5_without_spacing_is_named(tmp_path: Path):
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file["data"] = np.ones(10)
    with pytest.raises(UserError, match="delta_f"):
        psds.load(path)


@pytest.mark.parametrize("name", ["no_such_psd", "../AdV_psd.txt", ""])
def test_unknown_curves_are_named_with_those_known(name: str):
    with pytest.raises(UserError, match=f"PSD '{name}'.*AdV_asd"):
        psds.load(name)


@pytest.mark.parametrize("name", [3, None, ["curve"]], ids=str)
def test_names_are_strings(name):
    with pytest.raises(UserError, match=r"^psds: .* is neither the path"):
        psds.load(name)
