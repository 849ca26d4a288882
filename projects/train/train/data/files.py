"""The files that a training reads, in directories or in a store."""

from dataclasses import dataclass
from pathlib import Path

from storage import Location, cached, cached_directory, is_remote, listing

from train.data.background import FILES
from train.waveforms.sampler import WaveformSampler

RESPONSES = "val_waveforms.hdf5"


@dataclass(frozen=True)
class InputFiles:
    """Background, signals, and responses to validate on.

    Attributes:
        background: directory with files ``background-*.hdf5``.
        waveforms: directory with ``val_waveforms.hdf5``, and what the
            sampler reads.
        sampler: source of the training's signals.
        cache: directory of this node for copies of what is in a store.
    """

    background: Location
    waveforms: Location
    sampler: WaveformSampler
    cache: Path

    def listing(self) -> list[Location]:
        """Every file, where it is."""
        return [*listing(self.background, FILES), *self._signals()]

    def _signals(self) -> list[Location]:
        read = self.sampler.files(self.waveforms)
        return [*read, self.waveforms / RESPONSES]

    def fetch(self) -> tuple[Path, Path]:
        """Copy what is in a store.

        Returns:
            Directories of this node with background and waveforms.
        """
        background = cached_directory(self.background, FILES, self.cache)
        if not is_remote(self.waveforms):
            return background, self.waveforms
        copies = [cached(file, self.cache) for file in self._signals()]
        return background, copies[-1].parent
