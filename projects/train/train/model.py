"""Lightning modules: loss, validation and optimisation."""

import math

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from train.metrics import TimeSlideAUROC


class SupervisedAframe(LightningModule):
    """A network trained to tell kernels with a signal from those without.

    Args:
        arch: maps kernels of shape ``(batch, ifo, time)`` to logits of
            shape ``(batch,)``.
        metric: of the validation, logged as ``valid_auroc``.
        learning_rate: peak of the one-cycle schedule for one device; it is
            multiplied by the number of devices.
        pct_lr_ramp: fraction of the steps in which the peak is reached.
        weight_decay: of AdamW.
    """

    def __init__(
        self,
        arch: nn.Module,
        metric: TimeSlideAUROC,
        learning_rate: float = 5.85e-4,
        pct_lr_ramp: float = 0.115,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        self.arch = arch
        self.metric = metric
        self.learning_rate = learning_rate
        self.pct_lr_ramp = pct_lr_ramp
        self.weight_decay = weight_decay

    def forward(self, X: Tensor) -> Tensor:
        """Logits of kernels, of shape ``(batch,)``."""
        return self.arch(X)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Binary cross-entropy of a batch of kernels and labels."""
        X, y = batch
        loss = nn.functional.binary_cross_entropy_with_logits(self(X), y)
        self.log("train_loss", loss, on_step=True, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Score a piece of background and the signals in it."""
        background, foreground = batch
        scores = self.score(background), self.score(foreground)
        self.metric.update(*scores)
        self.show_scores(*scores, background, foreground)

    def show_scores(self, *tensors: Tensor) -> None:
        """Show callbacks what was scored, and how.

        A callback that wants to see it, for example to plot it, has a
        method ``on_validation_score(trainer, module, *tensors)``. It is
        called for each validation batch, on every device with that
        device's batches.

        Args:
            tensors: pairs of background and foreground. First the scores,
                of shape ``(row, column)``: pooled windows and their
                outputs, signals and their views. Then each input of the
                network, of shape ``(row, column, ...)``. Then, where a
                network predicts its inputs, each prediction. A batch may
                have no rows of either kind.
        """
        for callback in self.trainer.callbacks:
            hook = getattr(callback, "on_validation_score", None)
            if hook is not None:
                hook(self.trainer, self, *tensors)

    def score(self, X: Tensor) -> Tensor:
        """Logits of kernels of shape ``(row, column, ifo, time)``.

        Returns:
            Logits of shape ``(row, column)``.
        """
        if len(X) == 0:
            return X.new_zeros(X.shape[:2])
        return self(X.flatten(0, 1)).view(X.shape[:2])

    def on_validation_epoch_end(self) -> None:
        """Log the score and forget the epoch's."""
        self.log("valid_auroc", self.metric.compute(), prog_bar=True)
        self.metric.reset()

    def configure_optimizers(self) -> dict[str, object]:
        """AdamW under a one-cycle schedule."""
        peak = self.learning_rate * self.trainer.world_size
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=peak, weight_decay=self.weight_decay
        )
        # OneCycleLR divides by the length of the ramp less one step
        steps = max(4, self._total_steps())
        scheduler = OneCycleLR(
            optimizer,
            max_lr=peak,
            pct_start=max(self.pct_lr_ramp, 2 / steps),
            total_steps=steps,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _total_steps(self) -> int:
        """Optimiser steps of the whole training.

        Trainer.estimated_stepping_batches would start the workers of a
        continued training before it is known where it continues.
        """
        trainer = self.trainer
        batches = trainer.datamodule.batches_per_epoch
        per_epoch = math.ceil(batches / trainer.accumulate_grad_batches)
        limits = [per_epoch * trainer.max_epochs, trainer.max_steps]
        return min(limit for limit in limits if limit > 0)
