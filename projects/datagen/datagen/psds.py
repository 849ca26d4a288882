"""Power spectral densities from files and from the curves of bilby."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from conventions.errors import UserError

HDF5_SUFFIXES = (".hdf5", ".hdf", ".h5")


@dataclass(frozen=True, eq=False)
class Psd:
    """A one-sided power spectral density given at some frequencies.

    Attributes:
        frequencies: increasing, Hz, shape ``(n,)``.
        values: one-sided power spectral density, 1/Hz, shape ``(n,)``.
        source: the file or curve that it comes from, for messages.
    """

    frequencies: np.ndarray
    values: np.ndarray
    source: str

    def check(self, low: float, high: float) -> None:
        """Check that the density is known over a band.

        Args:
            low: lower edge of the band, Hz.
            high: upper edge of the band, Hz.

        Raises:
            UserError: if the band reaches beyond the given frequencies, or
                a value in it is not positive and finite.
        """
        band = f"the band [{low:g}, {high:g}] Hz"
        first, last = self.frequencies[[0, -1]]
        if first > low or last < high:
            raise UserError(
                f"PSD {self.source} does not cover {band}: it reaches from "
                f"{first:g} to {last:g} Hz"
            )
        begin = np.searchsorted(self.frequencies, low, side="right") - 1
        end = np.searchsorted(self.frequencies, high, side="left") + 1
        values = self.values[begin:end]
        bad = ~(np.isfinite(values) & (values > 0))
        if bad.any():
            where = begin + int(np.argmax(bad))
            raise UserError(
                f"PSD {self.source} does not cover {band}: its value at "
                f"{self.frequencies[where]:g} Hz is {self.values[where]:g}, "
                f"not positive and finite"
            )

    def __call__(self, frequencies: np.ndarray) -> np.ndarray:
        """Interpolate the logarithm of the density linearly in frequency.

        Args:
            frequencies: Hz, within a band that :meth:`check` accepts.

        Returns:
            One-sided power spectral density, 1/Hz, of the same shape.
        """
        good = self.values > 0
        return np.exp(
            np.interp(
                frequencies,
                self.frequencies[good],
                np.log(self.values[good]),
            )
        )


def load(name: str | Path) -> Psd:
    """Load a power spectral density.

    Three kinds are known:

    - HDF5 (``.hdf5``, ``.hdf``, ``.h5``): dataset ``data``, one-sided
      density in 1/Hz from 0 Hz on, with attribute ``delta_f`` in Hz;
    - text of two columns, frequency in Hz and value: a power density (1/Hz)
      if the name without its suffix ends in ``psd``, an amplitude density
      (1/sqrt(Hz)) if it ends in ``asd``;
    - the name of a curve shipped with bilby, with or without ``.txt``, such
      as ``aLIGO_ZERO_DET_high_P_psd``: text of the kind above.

    Args:
        name: path of a file, or name of a curve.

    Returns:
        The power spectral density.

    Raises:
        UserError: if there is no such file or curve, it is of none of these
            kinds, or its frequencies do not increase.
    """
    if not isinstance(name, str | Path):
        raise UserError(
            f"psds: {name!r} is neither the path of a file nor the name of a "
            "curve"
        )
    path = Path(name)
    if not path.is_file():
        path = _curve(str(name))
    if path.suffix in HDF5_SUFFIXES:
        frequencies, values = _read_hdf5(path)
    else:
        frequencies, values = _read_text(path)
    if len(frequencies) < 2 or not (np.diff(frequencies) > 0).all():
        raise UserError(
            f"PSD {path}: two or more increasing frequencies are needed"
        )
    return Psd(frequencies, values, str(path))


def curve_directory() -> Path:
    """Locate bilby's noise curves without importing bilby.

    Returns:
        The directory of the files ``*_psd.txt`` and ``*_asd.txt``.
    """
    spec = importlib.util.find_spec("bilby")
    return Path(spec.origin).parent / "gw" / "detector" / "noise_curves"


def _curve(name: str) -> Path:
    directory = curve_directory()
    if Path(name).name == name:
        for candidate in (directory / name, directory / f"{name}.txt"):
            if candidate.is_file():
                return candidate
    curves = sorted(path.stem for path in directory.glob("*_[ap]sd.txt"))
    raise UserError(
        f"PSD {name!r} is neither a file nor one of bilby's curves "
        f"({', '.join(curves)})"
    )


def _read_hdf5(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with h5py.File(path) as file:
            data = file["data"]
            values = np.asarray(data[:], dtype=np.float64)
            spacing = float(data.attrs["delta_f"])
    except (OSError, KeyError) as error:
        raise UserError(
            f"PSD {path}: an HDF5 file with a dataset 'data' that has an "
            f"attribute 'delta_f' is needed ({error})"
        ) from error
    return spacing * np.arange(len(values)), values


def _read_text(path: Path) -> tuple[np.ndarray, np.ndarray]:
    kind = path.stem[-3:].lower()
    if kind not in ("psd", "asd"):
        raise UserError(
            f"PSD {path}: whether it holds power or amplitude is not known; "
            f"its name must end in 'psd' or 'asd' before the suffix"
        )
    try:
        columns = np.loadtxt(path, dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise UserError(
            f"PSD {path}: not a table of numbers ({error})"
        ) from error
    if columns.shape[1] != 2:
        raise UserError(
            f"PSD {path}: {columns.shape[1]} columns, two are needed "
            f"(frequency in Hz, value)"
        )
    frequencies, values = columns.T
    return frequencies, values**2 if kind == "asd" else values
