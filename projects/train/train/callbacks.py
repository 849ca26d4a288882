"""What watches over a training: its numbers and its randomness."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import torch
from conventions.errors import UserError
from conventions.files import complete
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

BAD_BATCH = "bad_batch.hdf5"


class EpochSeed(Callback):
    """Makes an epoch's global randomness a function of seed and number.

    So that layers such as dropout draw in a continued training what they
    would have drawn in an uninterrupted one, and different numbers on
    different devices.

    Args:
        seed: entropy.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Seed torch's generators of all devices, at an epoch's first batch.

        Not earlier: data loaders, which are begun before or after the start
        of an epoch, draw from them too.
        """
        if batch_idx == 0:
            entropy = self.seed, trainer.global_rank, 2, trainer.current_epoch
            state = np.random.SeedSequence(entropy).generate_state(1)
            torch.manual_seed(int(state[0]))


class Seen(NamedTuple):
    """One batch that was trained on, while its loss is being computed.

    Attributes:
        somewhere: whether the loss is not finite on any device, a scalar.
        loss: of this device, a scalar.
        batch: what the network was given.
        epoch: of the batch.
        number: of the batch in the epoch.
    """

    somewhere: Tensor
    loss: Tensor
    batch: Any
    epoch: int
    number: int


class FiniteLoss(Callback):
    """Stops a training whose loss is not a finite number.

    A loss is looked at when the next batch has been trained on, so that
    nobody waits for a GPU, and before validation and checkpoints, so that
    no weights are kept that such a loss has changed. All devices stop
    together; the one with the batch writes it to ``bad_batch.hdf5``.

    Args:
        run_dir: where the batch is written.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = Path(run_dir)
        self._last: Seen | None = None

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look at the batch before, remember this one.

        Raises:
            UserError: if a loss was not finite.
        """
        self._look(trainer)
        loss = outputs["loss"].detach()
        somewhere = (~torch.isfinite(loss)).float()
        if trainer.world_size > 1:
            torch.distributed.all_reduce(
                somewhere, op=torch.distributed.ReduceOp.MAX
            )
        epoch = trainer.current_epoch
        self._last = Seen(somewhere, loss, batch, epoch, batch_idx)

    def on_validation_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        """Look at the last batch.

        Raises:
            UserError: if its loss was not finite.
        """
        self._look(trainer)

    def on_train_epoch_end(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        """Look at the last batch, where there is no validation.

        Raises:
            UserError: if its loss was not finite.
        """
        self._look(trainer)

    def _look(self, trainer: Trainer) -> None:
        seen, self._last = self._last, None
        if seen is None or not seen.somewhere:
            return
        where = f"batch {seen.number} of epoch {seen.epoch}"
        if torch.isfinite(seen.loss):
            raise UserError(f"the loss of {where} is not finite elsewhere")
        several = trainer.world_size > 1
        path = self.run_dir / BAD_BATCH
        if several:
            path = path.with_stem(f"{path.stem}-{trainer.global_rank}")
        arrays = _arrays(seen.batch)
        invalid = sum(int((~torch.isfinite(x)).sum()) for x in arrays.values())
        cause = (
            f"{invalid} of its numbers are not finite: look for constant or "
            "damaged strain and signals"
            if invalid
            else "its numbers are finite, so that the training has diverged: "
            "lower the learning rate"
        )
        with complete(path) as temporary, h5py.File(temporary, "w") as file:
            file.attrs["epoch"] = seen.epoch
            file.attrs["batch"] = seen.number
            file.attrs["rank"] = trainer.global_rank
            for name, array in arrays.items():
                file[name] = array.float().cpu().numpy()
        device = f" on device {trainer.global_rank}" if several else ""
        raise UserError(
            f"the loss of {where}{device} is {float(seen.loss)}; the batch "
            f"is in {path}; {cause}"
        )


def _arrays(batch: Any, name: str = "batch") -> dict[str, Tensor]:
    """The tensors of a nested batch, by the path to each."""
    if isinstance(batch, Tensor):
        return {name: batch}
    if isinstance(batch, Mapping):
        items = list(batch.items())
    elif isinstance(batch, list | tuple):
        items = list(enumerate(batch))
    else:
        items = []
    found: dict[str, Tensor] = {}
    for key, value in items:
        found |= _arrays(value, f"{name}/{key}")
    return found
