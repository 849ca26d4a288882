"""Background: which stretches there are, and reading from them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from conventions.errors import UserError

FILES = "background-*.hdf5"
PIECE = 2**22
"""Samples that are read at once to check them."""


@dataclass(frozen=True)
class Stretch:
    """Contiguous samples of one background file.

    Attributes:
        path: the file, with one dataset per interferometer.
        start: first sample.
        stop: sample after the last.
    """

    path: Path
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of samples."""
        return self.stop - self.start


def find(
    directory: str | Path, ifos: Sequence[str], sample_rate: float
) -> list[Stretch]:
    """Find and check the background files of a directory.

    Only names, lengths and rates are looked at, no samples are read.

    Args:
        directory: holds files ``background-*.hdf5``.
        ifos: datasets that each file must have.
        sample_rate: that they must have, in Hz.

    Returns:
        One stretch a file, sorted by name.

    Raises:
        UserError: if the directory or its files are missing, or a file
            lacks an interferometer, has unequal lengths or another rate.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(
            f"background_dir: {directory} is not a directory; it is made by "
            "FetchTrain"
        )
    paths = sorted(directory.glob(FILES))
    if not paths:
        raise UserError(f"background_dir: no files {FILES} in {directory}")
    return [_check(path, ifos, sample_rate) for path in paths]


def _check(path: Path, ifos: Sequence[str], sample_rate: float) -> Stretch:
    try:
        with h5py.File(path) as file:
            missing = [ifo for ifo in ifos if ifo not in file]
            if missing:
                raise UserError(
                    f"{path} has no data of {', '.join(missing)}, it has "
                    f"{', '.join(file)}"
                )
            sizes = {ifo: len(file[ifo]) for ifo in ifos}
            rates = {ifo: 1 / float(file[ifo].attrs["dx"]) for ifo in ifos}
            starts = {ifo: float(file[ifo].attrs["x0"]) for ifo in ifos}
    except (OSError, KeyError) as error:
        raise UserError(f"{path} is not a background file: {error}") from error
    for ifo, rate in rates.items():
        if not math.isclose(rate, sample_rate, rel_tol=1e-9):
            raise UserError(
                f"sample_rate: {sample_rate:g} Hz in the configuration, "
                f"{rate:g} Hz in {path} ({ifo})"
            )
    if len(set(sizes.values())) > 1:
        raise UserError(f"{path} has channels of unequal lengths: {sizes}")
    if len(set(starts.values())) > 1:
        raise UserError(f"{path} has channels of unequal starts: {starts}")
    return Stretch(path, 0, next(iter(sizes.values())))


def check_finite(stretches: Sequence[Stretch], ifos: Sequence[str]) -> None:
    """Read background, and refuse what is no number.

    Args:
        stretches: to read.
        ifos: datasets to read.

    Raises:
        UserError: naming the file and the GPS time of the first such
            sample.
    """
    for stretch in stretches:
        with h5py.File(stretch.path) as file:
            for ifo in ifos:
                dataset = file[ifo]
                for start in range(stretch.start, stretch.stop, PIECE):
                    stop = min(start + PIECE, stretch.stop)
                    wrong = ~np.isfinite(dataset[start:stop])
                    if not wrong.any():
                        continue
                    sample = start + int(wrong.argmax())
                    attrs = dataset.attrs
                    time = attrs["x0"] + sample * attrs["dx"]
                    raise UserError(
                        f"{stretch.path}: {ifo} has samples that are not "
                        f"finite, the first at GPS time {time:.3f}"
                    )


def hold_out(
    stretches: Sequence[Stretch], size: int
) -> tuple[list[Stretch], list[Stretch]]:
    """Split off the last samples for validation.

    Args:
        stretches: all there are, in the order of time.
        size: samples to hold out; the stretch in which that limit falls is
            cut in two.

    Returns:
        Stretches for training and for validation, which share no sample.
    """
    train, valid = list(stretches), []
    while size > 0 and train:
        last = train.pop()
        cut = max(last.start, last.stop - size)
        valid.insert(0, replace(last, start=cut))
        if cut > last.start:
            train.append(replace(last, stop=cut))
        size -= last.stop - cut
    return train, valid


class Reader:
    """Reads pieces of background files, which it keeps open.

    Without HDF5's chunk cache, so that a read costs what it returns and not
    the chunks that it touches. Handles are opened at the first read in each
    process, so that an instance can be sent to worker processes.

    Args:
        ifos: datasets to read, in channel order.
    """

    def __init__(self, ifos: Sequence[str]) -> None:
        self.ifos = tuple(ifos)
        self._datasets: dict[Path, list[h5py.Dataset]] = {}

    def __getstate__(self) -> dict[str, tuple[str, ...]]:
        return {"ifos": self.ifos}

    def __setstate__(self, state: dict[str, tuple[str, ...]]) -> None:
        self.__init__(state["ifos"])

    def read_into(
        self, out: np.ndarray, path: Path, channel: int, start: int
    ) -> None:
        """Fill ``out`` with one channel's samples from ``start`` on.

        Args:
            out: float32, of shape ``(time,)``.
            path: of the file.
            channel: index into ``ifos``.
            start: first sample.

        Raises:
            UserError: if a sample is not a finite number.
        """
        if path not in self._datasets:
            file = h5py.File(path, rdcc_nbytes=0)
            self._datasets[path] = [file[ifo] for ifo in self.ifos]
        # numpy converts to float32 many times faster than HDF5 does
        dataset = self._datasets[path][channel]
        out[:] = dataset[start : start + out.size]
        if not np.isfinite(out.sum()):
            raise UserError(
                f"{path}: {self.ifos[channel]} has samples that are not "
                f"finite between {start} and {start + out.size}"
            )


class RandomKernels:
    """Draws pieces of background, independently for each interferometer.

    Every possible start is equally likely, so that long stretches are drawn
    from more often than short ones.

    Args:
        stretches: to draw from.
        ifos: interferometers in channel order.
        size: samples of a piece.

    Raises:
        UserError: if no stretch is long enough.
    """

    def __init__(
        self, stretches: Sequence[Stretch], ifos: Sequence[str], size: int
    ) -> None:
        self.size = size
        self.stretches = [s for s in stretches if s.size >= size]
        if not self.stretches:
            longest = max((s.size for s in stretches), default=0)
            raise UserError(
                f"no stretch of training background has the {size} samples "
                f"of psd_length + fduration + kernel_length, the longest "
                f"has {longest}"
            )
        starts = [s.size - size + 1 for s in self.stretches]
        self.edges = np.cumsum(starts)
        self.reader = Reader(ifos)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Read ``count`` pieces.

        Args:
            count: how many.
            rng: source of randomness.

        Returns:
            Strain of shape ``(count, ifo, size)``, float32.
        """
        num_ifos = len(self.reader.ifos)
        out = np.empty((count, num_ifos, self.size), dtype=np.float32)
        draws = rng.integers(self.edges[-1], size=(count, num_ifos))
        chosen = np.searchsorted(self.edges, draws, side="right")
        before = np.concatenate([[0], self.edges])[chosen]
        for row in range(count):
            for channel in range(num_ifos):
                stretch = self.stretches[chosen[row, channel]]
                offset = draws[row, channel] - before[row, channel]
                self.reader.read_into(
                    out[row, channel],
                    stretch.path,
                    channel,
                    stretch.start + int(offset),
                )
        return out
