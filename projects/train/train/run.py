"""The directory of a training: what it holds and how it is continued."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conventions.files import complete
from lightning.pytorch.utilities import rank_zero_only

OUTPUTS = (
    "manifest.json",
    "model.pt",
    "best.ckpt",
    "last.ckpt",
    "batch.hdf5",
    "val_batch.hdf5",
    "metrics.csv",
)


def fingerprint(settings: str, files: Sequence[Path]) -> str:
    """Digest of what decides the outcome of a training.

    Args:
        settings: all settings, as text.
        files: that are read; name, size and time of change count.

    Returns:
        Hexadecimal digits.
    """
    stats = [(p, p.stat()) for p in files if p.is_file()]
    entries = [[str(p), s.st_size, s.st_mtime_ns] for p, s in stats]
    content = json.dumps([settings, entries])
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class RunDirectory:
    """Where one training writes.

    Attributes:
        path: the directory.
    """

    path: Path

    @property
    def _started(self) -> Path:
        return self.path / "started.json"

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
        started = json.loads(self._started.read_text())
        return last if started["fingerprint"] == digest else None

    @rank_zero_only
    def start(self, digest: str) -> None:
        """Remove what an earlier run left, unless it is to be continued.

        Args:
            digest: fingerprint of the training about to start.
        """
        if self.resumable(digest) is not None:
            return
        for name in OUTPUTS:
            (self.path / name).unlink(missing_ok=True)
        with complete(self._started) as temporary:
            temporary.write_text(json.dumps({"fingerprint": digest}) + "\n")
