"""Network outputs kept as series of time, and their index."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import h5py
import numpy as np
from conventions.errors import UserError
from conventions.files import complete
from ledger import storage
from ledger.shifts import matches
from numpy.typing import NDArray

STREAMS = ("background", "foreground")
CHUNK = 2**14
# Outputs that wait to be written together.
WAITING = 2**16


class SeriesWriter:
    """Appends outputs to an open file.

    Args:
        file: open for writing.
        streams: 1 for the background alone, 2 with the foreground.
    """

    def __init__(self, file: h5py.File, streams: int) -> None:
        self._waiting: list[NDArray[np.float32]] = []
        self._size = 0
        self._series = [
            file.create_dataset(
                name, (0,), np.float32, chunks=(CHUNK,), maxshape=(None,)
            )
            for name in STREAMS[:streams]
        ]

    def append(self, outputs: NDArray[np.float32]) -> None:
        """Write the outputs that follow.

        Args:
            outputs: of shape ``(S, n)``, NaN where there are none.
        """
        self._waiting.append(outputs)
        self._size += outputs.shape[1]
        if self._size >= WAITING:
            self.flush()

    def flush(self) -> None:
        """Write what has been waiting for more."""
        if not self._waiting:
            return
        outputs = np.concatenate(self._waiting, axis=1)
        self._waiting, self._size = [], 0
        for series, values in zip(self._series, outputs, strict=True):
            begin = len(series)
            series.resize((begin + len(values),))
            series[begin:] = values


@contextmanager
def writing(
    path: Path,
    *,
    streams: int,
    injected: bool,
    t0: float,
    dx: float,
    shifts: Sequence[float],
) -> Iterator[SeriesWriter]:
    """Write the outputs of one slide; the file is complete or absent.

    Datasets ``background`` and ``foreground`` hold one output after the
    other, NaN where gaps spoil them. Root attributes: ``t0``, GPS second of
    the right edge of the first output's kernel; ``dx``, seconds between
    outputs; ``shift``, delay of each ifo in seconds; ``length``.

    Args:
        path: the file.
        streams: of the slide.
        injected: whether there is a foreground; with one stream, it is the
            background.
        t0: as above.
        dx: as above.
        shifts: as above.

    Yields:
        What takes the outputs.
    """
    with complete(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["t0"] = t0
        file.attrs["dx"] = dx
        file.attrs["shift"] = np.asarray(shifts, dtype=float)
        writer = SeriesWriter(file, streams)
        yield writer
        writer.flush()
        file.attrs["length"] = len(file[STREAMS[0]])
        if injected and streams == 1:
            file[STREAMS[1]] = file[STREAMS[0]]


@dataclass(frozen=True)
class SeriesIndex:
    """Where the outputs of each segment and shift are.

    Attributes:
        t0: GPS seconds of the first outputs, of shape ``(series,)``.
        dx: seconds between outputs, of shape ``(series,)``.
        length: numbers of outputs, of shape ``(series,)``.
        shift: delays in seconds, of shape ``(series, ifo)``.
        files: the files, one of each series.
    """

    t0: NDArray[np.float64]
    dx: NDArray[np.float64]
    length: NDArray[np.int64]
    shift: NDArray[np.float64]
    files: tuple[Path, ...]

    @classmethod
    def of(cls, files: Iterable[Path]) -> Self:
        """Index files that :func:`writing` wrote, by time and shift.

        Raises:
            UserError: if a file is missing or something else.
        """
        rows = []
        for path in map(Path, files):
            with storage.opened(path) as file:
                names = ("t0", "dx", "length", "shift")
                missing = [name for name in names if name not in file.attrs]
                if missing:
                    raise UserError(
                        f"{path} holds no network outputs: it lacks the "
                        f"attribute {missing[0]}"
                    )
                t0, dx, length, shift = (file.attrs[name] for name in names)
                rows.append((t0, tuple(shift), dx, length, path))
        rows.sort(key=lambda row: row[:2])
        t0, shift, dx, length, paths = zip(*rows, strict=True)
        return cls(
            np.array(t0, float),
            np.array(dx, float),
            np.array(length, np.int64),
            np.array(shift, float),
            paths,
        )

    def write(self, path: Path) -> None:
        """Write the index, complete or not at all.

        Datasets ``t0``, ``dx``, ``length``, ``shift`` and ``file``, a row a
        series; ``series/N`` is a link to the file of row N. Files are named
        relative to the index, so that both can be moved together.

        Args:
            path: the file.
        """
        folder = Path(path).resolve().parent
        names = [
            os.path.relpath(file.resolve(), folder) for file in self.files
        ]
        with complete(path) as temporary, h5py.File(temporary, "w") as file:
            for name in ("t0", "dx", "length", "shift"):
                file[name] = getattr(self, name)
            file["file"] = np.array(names, dtype=h5py.string_dtype())
            for row, name in enumerate(names):
                file[f"series/{row}"] = h5py.ExternalLink(name, "/")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read an index.

        Args:
            path: the file.

        Raises:
            UserError: if it is missing or no index.
        """
        with storage.opened(path) as file:
            try:
                names = file["file"].asstr()[:]
                columns = [
                    file[name][:] for name in ("t0", "dx", "length", "shift")
                ]
            except KeyError as error:
                raise UserError(
                    f"{path} is no index of network outputs: {error}"
                ) from None
        folder = Path(path).parent
        return cls(*columns, tuple(folder / name for name in names))

    def find(self, time: float, shifts: Sequence[float]) -> int:
        """Find the series that covers a time at a shift.

        Args:
            time: GPS second in the shifted data.
            shifts: delay of each ifo, in seconds.

        Returns:
            Its row.

        Raises:
            UserError: if there is none.
        """
        stop = self.t0 + self.length * self.dx
        covers = (self.t0 <= time) & (time < stop)
        rows = np.flatnonzero(covers & matches(self.shift, np.array(shifts)))
        if not len(rows):
            raise UserError(
                f"no outputs are kept of GPS {time} at shift {list(shifts)}"
            )
        return int(rows[0])
