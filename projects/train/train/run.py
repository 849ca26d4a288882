"""The directory of a training: what it holds and how it is continued."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conventions.files import complete
from lightning.pytorch.utilities import rank_zero_only
from storage import Location, is_remote, stat

from train import plots
from train.callbacks import BAD_BATCH
from train.logger import METRICS

STARTED = "started.json"
OUTPUTS = (
    "manifest.json",
    "search.json",  # where the weights are those of a search
    "model.pt",
    "best.ckpt",
    "last.ckpt",
    "batch.hdf5",
    "val_batch.hdf5",
    METRICS,
)


def fingerprint(settings: str, files: Sequence[Location]) -> str:
    """Digest of what decides the outcome of a training.

    Args:
        settings: all settings, as text.
        files: that are read; name, size and time of change count, or the
            etag of what is in a store.

    Returns:
        Hexadecimal digits.
    """
    found = [(file, version(file)) for file in files]
    entries = [[str(file), *about] for file, about in found if about]
    content = json.dumps([settings, entries])
    return hashlib.sha256(content.encode()).hexdigest()


def version(file: Location) -> list[int | str] | None:
    """What changes when a file does.

    Args:
        file: of this machine or of a store.

    Returns:
        Bytes, and nanoseconds since the epoch or an etag; None if there is
        no such file.
    """
    if is_remote(file):
        stored = stat(file)
        return stored and [stored.size, stored.etag]
    if not file.is_file():
        return None
    about = file.stat()
    return [about.st_size, about.st_mtime_ns]


@dataclass(frozen=True)
class RunDirectory:
    """Where one training writes.

    Attributes:
        path: the directory.
    """

    path: Path

    @property
    def _started(self) -> Path:
        return self.path / STARTED

    @property
    def manifest(self) -> Path:
        """Written last: a run that has it is complete."""
        return self.path / "manifest.json"

    def resumable(self, digest: str) -> Path | None:
        """The checkpoint to continue from.

        Args:
            digest: fingerprint of the training about to start.

        Returns:
            ``last.ckpt`` of an unfinished run with the same fingerprint,
            else None.
        """
        last = self.path / "last.ckpt"
        if self.manifest.exists() or not last.is_file():
            return None
        if not self._started.is_file():
            return None
        return last if self._read_started()["fingerprint"] == digest else None

    @property
    def run_id(self) -> str:
        """Identifies a training that has started, however often it goes on."""
        return self._read_started()["run_id"]

    def _read_started(self) -> dict[str, str]:
        return json.loads(self._started.read_text())

    @rank_zero_only
    def start(self, digest: str) -> None:
        """Remove what an earlier run left, unless it is to be continued.

        Args:
            digest: fingerprint of the training about to start.
        """
        if self.resumable(digest) is not None:
            return
        # first what other processes, which start now, would continue from
        self._started.unlink(missing_ok=True)
        bad = Path(BAD_BATCH)
        left = self.path.glob(f"{bad.stem}*{bad.suffix}")
        for path in (*(self.path / name for name in OUTPUTS), *left):
            path.unlink(missing_ok=True)
        plots.remove(self.path)
        started = {"fingerprint": digest, "run_id": secrets.token_hex(4)}
        with complete(self._started) as temporary:
            temporary.write_text(json.dumps(started) + "\n")
