"""Reads strain from the files that people have."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from conventions.errors import UserError

IFO = re.compile(r"[A-Z]\d")
FRAME_NAME = re.compile(r"[A-Z]+-([A-Z]\d)_")


@dataclass(frozen=True)
class Series:
    """Strain of one interferometer from one file.

    Attributes:
        ifo: such as ``"H1"``.
        start: GPS seconds of the first sample.
        sample_rate: in Hz.
        strain: of shape ``(time,)``, float64; NaN where there is no data.
        source: the file, for messages.
    """

    ifo: str
    start: float
    sample_rate: float
    strain: np.ndarray
    source: str

    @property
    def stop(self) -> float:
        """GPS seconds one sample after the last."""
        return self.start + len(self.strain) / self.sample_rate


def channels_by_ifo(names: Sequence[str]) -> dict[str, str]:
    """Order frame channels by interferometer.

    Args:
        names: such as ``"H1:GDS-CALIB_STRAIN"``.

    Raises:
        UserError: if a name does not begin with an interferometer, or two
            begin with the same.
    """
    channels: dict[str, str] = {}
    for name in names:
        ifo, colon, rest = name.partition(":")
        if not (colon and rest and IFO.fullmatch(ifo)):
            raise UserError(
                f"--channel {name!r} must look like H1:NAME, with the "
                "interferometer first"
            )
        if ifo in channels:
            raise UserError(
                f"--channel: {channels[ifo]!r} and {name!r} are both of "
                f"{ifo}; give one channel per interferometer"
            )
        channels[ifo] = name
    return channels


def read(
    paths: Sequence[Path],
    ifos: Sequence[str],
    channels: Mapping[str, str] | None = None,
) -> list[Series]:
    """Read strain from GWOSC HDF5, aframe background files or GWF frames.

    Args:
        paths: the files, in any order.
        ifos: interferometers of the network.
        channels: channel name by interferometer, for frames.

    Returns:
        What the files hold of ``ifos``, not yet joined.

    Raises:
        UserError: naming the file that is missing, of no known layout, or
            of another interferometer, or the interferometer that no file
            holds.
    """
    series: list[Series] = []
    for path in map(Path, paths):
        if not path.is_file():
            raise UserError(f"there is no file {path}")
        if path.suffix == ".gwf":
            found = _read_frame(path, channels or {})
        elif h5py.is_hdf5(path):
            found = _read_hdf5(path, ifos)
        else:
            raise UserError(
                f"{path} is neither HDF5 nor a frame: accepted are GWOSC "
                "HDF5 files, aframe background files and frames (.gwf)"
            )
        for one in found:
            _check(one, ifos)
        series.extend(found)
    missing = sorted(set(ifos) - {one.ifo for one in series})
    if missing:
        raise UserError(
            f"no file holds {' or '.join(missing)}: the network needs "
            f"{', '.join(ifos)}; given: {', '.join(map(str, paths))}"
        )
    return series


def _check(series: Series, ifos: Sequence[str]) -> None:
    if series.ifo not in ifos:
        raise UserError(
            f"{series.source} is strain of {series.ifo}; the network "
            f"searches {', '.join(ifos)}"
        )
    if len(series.strain) == 0:
        raise UserError(f"{series.source} holds no samples of {series.ifo}")


def _read_hdf5(path: Path, ifos: Sequence[str]) -> list[Series]:
    try:
        with h5py.File(path, "r") as file:
            if "strain/Strain" in file:
                return [_read_gwosc(path, file)]
            names = [
                name
                for name, item in file.items()
                if isinstance(item, h5py.Dataset) and IFO.fullmatch(name)
            ]
            if not names:
                raise UserError(
                    f"{path} is neither a GWOSC file (dataset strain/Strain) "
                    "nor an aframe background file (one dataset per "
                    f"interferometer, such as H1); it holds: "
                    f"{', '.join(file) or 'nothing'}"
                )
            wanted = [name for name in names if name in ifos] or names[:1]
            return [
                _series(path, name, file[name], "x0", "dx") for name in wanted
            ]
    except (OSError, KeyError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def _read_gwosc(path: Path, file: h5py.File) -> Series:
    if "meta/Detector" in file:
        ifo = file["meta/Detector"].asstr()[()].strip()
    else:
        match = FRAME_NAME.match(path.name)
        if match is None:
            raise UserError(
                f"{path} does not say which interferometer it is of: it has "
                "no dataset meta/Detector and its name does not begin like "
                "H-H1_..."
            )
        ifo = match[1]
    return _series(path, ifo, file["strain/Strain"], "Xstart", "Xspacing")


def _series(
    path: Path, ifo: str, dataset: h5py.Dataset, start: str, spacing: str
) -> Series:
    missing = [name for name in (start, spacing) if name not in dataset.attrs]
    if missing or dataset.ndim != 1:
        problem = (
            f"has no attribute {missing[0]}"
            if missing
            else f"has {dataset.ndim} dimensions instead of 1"
        )
        raise UserError(f"{path}: dataset {dataset.name} {problem}")
    return Series(
        ifo,
        float(dataset.attrs[start]),
        _rate(float(dataset.attrs[spacing]), path),
        dataset[:].astype(np.float64, copy=False),
        str(path),
    )


def _read_frame(path: Path, channels: Mapping[str, str]) -> list[Series]:
    from gwpy.io.gwf import get_channel_names
    from gwpy.timeseries import TimeSeries

    try:
        present = get_channel_names(path)
        wanted = {i: name for i, name in channels.items() if name in present}
        if not wanted:
            shown = ", ".join(sorted(present)[:8])
            raise UserError(
                f"{path} holds none of the channels "
                f"{', '.join(channels.values()) or '(none given)'}; name "
                f"one with --channel. It holds: {shown}"
            )
        read = {
            ifo: TimeSeries.read(path, name, format="gwf")
            for ifo, name in wanted.items()
        }
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    return [
        Series(
            ifo,
            float(one.t0.value),
            _rate(float(one.dt.value), path),
            np.asarray(one.value, dtype=np.float64),
            str(path),
        )
        for ifo, one in read.items()
    ]


def _rate(spacing: float, path: Path) -> float:
    if not spacing > 0:
        raise UserError(f"{path}: a spacing of samples of {spacing} s")
    rate = 1 / spacing
    whole = round(rate)
    return float(whole) if abs(rate - whole) < 1e-6 * rate else rate
