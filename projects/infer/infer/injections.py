"""Signals of one slide, their waveforms read when they are needed."""

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np
from conventions.errors import UserError
from ledger import storage
from ledger.injections import InterferometerResponseSet
from ledger.placement import add_waveform, first_samples
from ledger.shifts import matches
from numpy.typing import NDArray
from preprocessing.config import Preprocessing


class SlideInjections:
    """The signals of one segment and shift.

    Their parameters are in memory; of the waveforms only those that reach
    into the stretch asked for last.

    Args:
        path: the injection file.
        settings: of the network, which the signals must fit.
        start: GPS second where the segment starts.
        stop: GPS second where its simultaneous data stop.
        shifts: delay of each channel, in seconds.

    Attributes:
        parameters: the signals without waveforms, those that coalesce in
            [start, stop): where segments touch, a signal belongs to that of
            its coalescence. ``num_injections`` counts them alone, since
            rejected draws belong to no segment.

    Raises:
        UserError: if the file is missing or foreign, or holds signals of
            other ifos or another sample rate than the network's.
    """

    def __init__(
        self,
        path: Path,
        settings: Preprocessing,
        start: float,
        stop: float,
        shifts: Sequence[float],
    ) -> None:
        self._path = Path(path)
        self._files = ExitStack()
        self._loaded: dict[int, list[NDArray[np.float64]]] = {}
        wanted = np.asarray(shifts, dtype=float)
        found = InterferometerResponseSet.read(
            self._path, start, stop, wanted
        ).get_times(start, stop)
        self.parameters = dataclasses.replace(found, num_injections=len(found))
        if not len(found):
            return
        self._check(settings)
        try:
            self._open(settings.ifos, start, stop, wanted)
        except BaseException:
            self.close()
            raise

    def _check(self, settings: Preprocessing) -> None:
        signals = self.parameters
        if signals.sample_rate != settings.sample_rate:
            raise UserError(
                f"sample_rate: {settings.sample_rate:g} Hz expected, the "
                f"injections in {self._path} have {signals.sample_rate} Hz"
            )
        if list(signals.ifos) not in ([], list(settings.ifos)):
            raise UserError(
                f"ifos: {list(settings.ifos)} expected, the injections in "
                f"{self._path} are for {list(signals.ifos)}"
            )

    def _open(
        self,
        ifos: Sequence[str],
        start: float,
        stop: float,
        shifts: NDArray[np.float64],
    ) -> None:
        """Find the rows of the signals, and where their waveforms are."""
        file = self._files.enter_context(storage.opened(self._path))
        length = storage.read_length(file)

        def column(name: str) -> NDArray[np.float64]:
            return storage.find_column(file, "parameter", name, length).read()

        times = column("injection_time")
        chosen = (times >= start) & (times < stop)
        chosen &= matches(column("shift"), shifts)
        self._rows = np.flatnonzero(chosen)
        self._waveforms = [
            storage.find_column(file, "waveform", ifo.lower(), length)
            for ifo in ifos
        ]
        self._size = self._waveforms[0].shape[1]

    def __len__(self) -> int:
        """Number of signals."""
        return len(self.parameters)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._files.close()

    def inject(
        self, x: NDArray[np.float64], start: float
    ) -> NDArray[np.float64]:
        """Add the signals to data, as far as they reach in.

        The sum is that of ``InterferometerResponseSet.inject``, sample for
        sample, whatever the stretch.

        Args:
            x: strain of shape (ifo, time).
            start: GPS time of its first sample.

        Returns:
            A new array of the shape and dtype of ``x``; ``x`` itself where
            no signal reaches.
        """
        if not len(self):
            return x
        signals = self.parameters
        first = first_samples(
            signals.injection_time,
            start,
            signals.sample_rate,
            signals.duration - signals.right_pad,
        )
        reaches = (first + self._size > 0) & (first < x.shape[1])
        signals_here = np.flatnonzero(reaches)
        if not len(signals_here):
            return x
        waveforms = self._load(signals_here)
        x = x.copy()
        for number in signals_here:
            for channel, waveform in zip(x, waveforms[number], strict=True):
                add_waveform(channel, waveform, int(first[number]))
        return x

    def _load(
        self, numbers: NDArray[np.int64]
    ) -> dict[int, list[NDArray[np.float64]]]:
        """Read the waveforms that the stretch before did not need."""
        missing = [n for n in numbers.tolist() if n not in self._loaded]
        loaded = {n: self._loaded[n] for n in numbers if n not in missing}
        read = [column.read(self._rows[missing]) for column in self._waveforms]
        for position, number in enumerate(missing):
            loaded[number] = [channel[position] for channel in read]
        self._loaded = loaded
        return loaded
