"""Joining the files of signals that jobs have written."""

from collections.abc import Sequence
from pathlib import Path

import h5py
from conventions.errors import UserError
from ledger.injections import (
    InjectionParameterSet,
    InterferometerResponseSet,
    WaveformPolarizationSet,
    WaveformSet,
    waveform_class_factory,
)
from ledger.ledger import Ledger


def merge(files: Sequence[Path], output: Path) -> None:
    """Join files of waveforms or of parameters into one.

    Args:
        files: files of one kind, which stays as they are.
        output: file to be written.

    Raises:
        UserError: if there is no file, or files do not fit together.
    """
    if not files:
        raise UserError(f"{output}: there are no files to merge")
    _table_of(Path(files[0])).aggregate(files, output)


def _table_of(path: Path) -> type[Ledger]:
    """The ledger class that a file of signals is of."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with h5py.File(path) as file:
            parameters = set(file.get("parameters", ()))
            waveforms = set(file.get("waveforms", ()))
            ifos = [str(ifo) for ifo in file.attrs.get("ifos", ())]
    except OSError as error:
        raise UserError(
            f"{path}: truncated, or not an HDF5 file ({error})"
        ) from error
    if waveforms == {"cross", "plus"}:
        return WaveformPolarizationSet
    if not waveforms:
        return InjectionParameterSet
    base = (
        InterferometerResponseSet
        if "injection_time" in parameters
        else WaveformSet
    )
    return waveform_class_factory(ifos, base, base.__name__)
