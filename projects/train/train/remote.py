"""A run whose directory is in a store: worked on here, copied there."""

import shutil
import tempfile
from pathlib import Path

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from storage import cached, exists, listing, remove, upload
from upath import UPath

from train import plots
from train.callbacks import BAD_BATCH
from train.logger import METRICS
from train.run import OUTPUTS, STARTED

STATE = (STARTED, METRICS, "best.ckpt", "last.ckpt", "search.json")
"""What a run is continued from, beside its manifest."""

AT_LAST = {"best.ckpt": 1, "last.ckpt": 2, "manifest.json": 3}
"""Files that promise others, and when they are uploaded."""


class Mirror:
    """Keeps a directory of this machine and one of a store alike.

    The store's is the truth: a training that was killed, with its machine,
    is continued from what had been uploaded.

    Args:
        place: the directory in the store.
        cache: directory of this node, the same for all its processes.

    Attributes:
        scratch: the directory of this machine.
    """

    def __init__(self, place: UPath, cache: Path) -> None:
        self.place = place
        self.scratch = cache.joinpath("runs", *place.path.split("/"))
        self._sent: dict[Path, tuple[int, int]] = {}

    @rank_zero_only
    def fetch(self) -> None:
        """Begin with what the store has of an earlier run.

        Raises:
            UserError: if the store refuses or does not answer.
        """
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        for name in (*STATE, "manifest.json"):
            if not exists(self.place / name):
                continue
            path = self.scratch / name
            with tempfile.TemporaryDirectory(dir=self.scratch) as copies:
                shutil.move(cached(self.place / name, Path(copies)), path)
            self._sent[path] = _stamp(path)

    @rank_zero_only
    def clear(self) -> None:
        """Remove from the store what an earlier run left there.

        Raises:
            UserError: if the store refuses or does not answer.
        """
        bad = Path(BAD_BATCH)
        pictures = self.place / plots.DIRECTORY
        for old in (
            *(self.place / name for name in (STARTED, *OUTPUTS)),
            *listing(self.place, f"{bad.stem}*{bad.suffix}"),
            *listing(pictures, "*.png"),
        ):
            remove(old)
        self._sent.clear()

    @rank_zero_only
    def push(self) -> None:
        """Upload what has changed, the manifest last.

        Raises:
            UserError: if the store refuses or does not answer.
        """
        found = [
            path
            for path in sorted(self.scratch.rglob("*"))
            if path.is_file() and self._is_of_run(path)
        ]
        found.sort(key=lambda path: AT_LAST.get(path.name, 0))
        for path in found:
            stamp = _stamp(path)
            if self._sent.get(path) != stamp:
                upload(path, self.place / str(path.relative_to(self.scratch)))
                self._sent[path] = stamp

    def _is_of_run(self, path: Path) -> bool:
        """Whether others want it: W&B keeps files for itself."""
        parts = path.relative_to(self.scratch).parts
        return parts[0] != "wandb" and not parts[-1].startswith(".")


def _stamp(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_mtime_ns, about.st_size


class Uploads(Callback):
    """Uploads what a training has written, after each epoch.

    Args:
        mirror: of its directory.
    """

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror

    def on_train_epoch_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        """Upload the epoch before: only now its checkpoints are complete."""
        self.mirror.push()

    def on_exception(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        exception: BaseException,
    ) -> None:
        """Upload what tells why a training ended."""
        self.mirror.push()
