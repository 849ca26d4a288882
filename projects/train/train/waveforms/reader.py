"""Waveform files: their shape, and reading rows from them."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
from conventions.errors import UserError


class WaveformReader:
    """Reads rows of a ledger of waveforms, as few as asked for.

    The handle is opened at the first read in each process, so that an
    instance can be sent to worker processes.

    Args:
        path: of the file (science.md, Files: Ledgers).
        names: datasets of the group ``waveforms``, in the order of the
            result's channels.
        sample_rate: that the file must have, in Hz.

    Attributes:
        count: number of waveforms.
        size: samples of a waveform.
        coalescence: sample of the coalescence.

    Raises:
        UserError: if the file is missing, is not such a ledger, is empty
            or has another sample rate.
    """

    def __init__(
        self, path: Path, names: Sequence[str], sample_rate: float
    ) -> None:
        self.path = path
        self.names = tuple(names)
        if not path.is_file():
            raise UserError(
                f"waveforms_dir: there is no {path}; it is made by "
                "TrainingWaveforms and ValidationWaveforms"
            )
        try:
            with h5py.File(path) as file:
                rate = float(file.attrs["sample_rate"])
                right_pad = float(file.attrs["right_pad"])
                shapes = {file["waveforms"][name].shape for name in names}
        except (OSError, KeyError) as error:
            raise UserError(
                f"{path} is not a ledger of waveforms with "
                f"{', '.join(names)}: {error}"
            ) from error
        if not math.isclose(rate, sample_rate, rel_tol=1e-9):
            raise UserError(
                f"sample_rate: {sample_rate:g} Hz in the configuration, "
                f"{rate:g} Hz in {path}"
            )
        if len(shapes) > 1 or min(shapes)[0] == 0:
            raise UserError(f"{path} has no waveforms: shapes {shapes}")
        self.count, self.size = shapes.pop()
        self.coalescence = self.size - round(right_pad * rate)
        self._datasets: list[h5py.Dataset] | None = None

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_datasets": None}

    def read(self, rows: Sequence[int]) -> np.ndarray:
        """Read some waveforms.

        Args:
            rows: indices in any order, with or without repeats; those
                that follow each other in the file are read at once.

        Returns:
            Waveforms of shape ``(row, channel, time)``, float32.
        """
        if self._datasets is None:
            file = h5py.File(self.path, rdcc_nbytes=0)
            self._datasets = [file["waveforms"][name] for name in self.names]
        rows = np.asarray(rows, dtype=int)
        shape = (len(rows), len(self.names), self.size)
        out = np.empty(shape, dtype=np.float32)
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        edges = [0, *breaks.tolist(), len(rows)] if len(rows) else []
        for first, stop in pairwise(edges):
            start = int(rows[first])
            some = slice(start, start + stop - first)
            for channel, dataset in enumerate(self._datasets):
                out[first:stop, channel] = dataset[some]
        return out
