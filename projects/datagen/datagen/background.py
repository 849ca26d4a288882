"""Files of background strain: made or fetched, and checked."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
from conventions.errors import UserError
from conventions.files import complete

from datagen import gaps, gwosc, simulate
from datagen import psds as psd_files
from datagen.glitches import GlitchConfig
from datagen.segments import check_ifos, check_source

CHUNK_SIZE = 131072
"""Samples per HDF5 chunk: random kernels are read fast."""


def fetch(
    output: Path,
    *,
    source: str,
    ifos: Sequence[str],
    start: float,
    duration: float,
    sample_rate: float,
    psds: Mapping[str, str] | None = None,
    seed: int = 0,
    glitches: GlitchConfig | None = None,
    host: str | None = None,
) -> None:
    """Write one file of background strain, complete or not at all.

    The file has one dataset per ifo, as gwpy's ``TimeSeriesDict`` writes and
    reads them.

    Args:
        output: file to be written, ``background-<start>-<duration>.hdf5``.
        source: ``simulated`` or ``gwosc``.
        ifos: interferometers.
        start: GPS start, s.
        duration: length, s.
        sample_rate: Hz; open data are resampled to it.
        psds: for simulated data, per ifo a PSD file or the name of a curve
            shipped with bilby, see :func:`datagen.psds.load`.
        seed: for simulated data, the global seed.
        glitches: for simulated data, the population of glitches to add;
            None adds none.
        host: for open data, address of the server; None is its public
            address.

    Raises:
        UserError: for an unknown source or ifo, a PSD that is missing or
            does not cover the band, a span off the sample grid, or data
            that are not available or have gaps.
    """
    check_source(source)
    check_ifos(ifos)
    if source == "simulated":
        strains = _simulated(
            ifos, start, duration, sample_rate, psds or {}, seed, glitches
        )
    else:
        strains = (
            (
                ifo,
                gwosc.strain(
                    ifo,
                    start=start,
                    duration=duration,
                    sample_rate=sample_rate,
                    host=host,
                ),
            )
            for ifo in ifos
        )
    with complete(output) as temporary, h5py.File(temporary, "w") as file:
        for ifo, data in strains:
            _write(file, ifo, data, start, sample_rate, source)


def _simulated(
    ifos: Sequence[str],
    start: float,
    duration: float,
    sample_rate: float,
    psds: Mapping[str, str],
    seed: int,
    glitches: GlitchConfig | None,
) -> Iterator[tuple[str, np.ndarray]]:
    absent = [ifo for ifo in ifos if ifo not in psds]
    if absent:
        raise UserError(
            f"psds: none is given for {', '.join(absent)}, simulated data "
            f"need one for each of {', '.join(ifos)}"
        )
    for ifo in ifos:
        data = simulate.strain(
            psd_files.load(psds[ifo]),
            ifo=ifo,
            start=start,
            duration=duration,
            sample_rate=sample_rate,
            seed=seed,
            glitch_config=glitches,
        )
        yield ifo, data


def _write(
    file: h5py.File,
    ifo: str,
    data: np.ndarray,
    start: float,
    sample_rate: float,
    source: str,
) -> None:
    dataset = file.create_dataset(
        ifo, data=data, chunks=(min(CHUNK_SIZE, len(data)),)
    )
    dataset.attrs["x0"] = float(start)
    dataset.attrs["dx"] = 1 / float(sample_rate)
    dataset.attrs["xunit"] = "s"
    dataset.attrs["unit"] = ""
    dataset.attrs["name"] = ifo
    dataset.attrs["channel"] = f"{ifo}:{source.upper()}-STRAIN"


def check(path: Path, ifos: Sequence[str], sample_rate: float) -> None:
    """Check that a file of background strain can be analysed.

    Args:
        path: the file.
        ifos: interferometers that it must hold.
        sample_rate: Hz, that it must have.

    Raises:
        UserError: if the file is missing or of another kind, an ifo is
            missing, a sample rate differs, the ifos cover different times,
            or samples are not finite; the message says what and where.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"background file {path} does not exist")
    try:
        file = h5py.File(path)
    except OSError as error:
        raise UserError(
            f"background file {path} is not an HDF5 file: {error}"
        ) from error
    with file:
        spans = {ifo: _check_dataset(file, ifo, sample_rate) for ifo in ifos}
    if len(set(spans.values())) > 1:
        listed = ", ".join(
            f"{ifo} from {start!r} with {size} samples"
            for ifo, (start, size) in spans.items()
        )
        raise UserError(f"{path}: the ifos cover different times: {listed}")


def _check_dataset(
    file: h5py.File, ifo: str, sample_rate: float
) -> tuple[float, int]:
    path = file.filename
    if ifo not in file:
        raise UserError(
            f"{path}: no data of {ifo}, the file has {', '.join(file)}"
        )
    dataset = file[ifo]
    try:
        start = float(dataset.attrs["x0"])
        spacing = float(dataset.attrs["dx"])
    except KeyError as error:
        raise UserError(
            f"{path}: {ifo} lacks the attributes x0 and dx ({error})"
        ) from error
    if not np.isclose(spacing * sample_rate, 1, rtol=1e-9):
        raise UserError(
            f"{path}: {ifo} has a sample rate of {1 / spacing:g} Hz, "
            f"{sample_rate:g} Hz is needed"
        )
    missing = []
    for offset in range(0, len(dataset), CHUNK_SIZE * 16):
        part = dataset[offset : offset + CHUNK_SIZE * 16]
        missing += gaps.find(part, start + offset * spacing, sample_rate)
    if missing:
        raise gaps.error(ifo, missing, path)
    return start, len(dataset)
