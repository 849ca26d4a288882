"""What all Lightning modules share: validation and optimisation."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from lightning import Callback, LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from train.metrics import TimeSlideAUROC


class AframeModule(LightningModule, ABC):
    """A network that scores kernels, and how it is trained.

    Args:
        arch: the network; its arguments are the inputs of the data.
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

    @property
    def network(self) -> nn.Module:
        """Maps inputs to statistics of shape ``(batch,)``: what is exported.

        By default that is ``arch``.
        """
        return self.arch

    def forward(self, *inputs: Tensor) -> Tensor:
        """Detection statistics of kernels, of shape ``(batch,)``.

        Args:
            inputs: of the network, each of shape ``(batch, ...)``.
        """
        return self.network(*inputs)

    @abstractmethod
    def loss(self, inputs: Sequence[Tensor], y: Tensor) -> Tensor:
        """What is minimised.

        Args:
            inputs: of the network, each of shape ``(batch, ...)``.
            y: labels of shape ``(batch,)``.

        Returns:
            A scalar.
        """

    def training_step(self, batch: Sequence[Tensor]) -> Tensor:
        """Loss of a batch: all inputs, then the labels."""
        *inputs, y = batch
        loss = self.loss(inputs, y)
        self.log("train_loss", loss, on_step=True, prog_bar=True)
        return loss

    def validation_step(self, batch: Sequence[Tensor]) -> None:
        """Score a piece of background and the signals in it.

        Args:
            batch: pairs of background and foreground, one for each input.
        """
        scores = self.score(*batch[::2]), self.score(*batch[1::2])
        self.metric.update(*scores)
        if self._watchers():
            self.show_scores(*scores, *batch)

    def _watchers(self) -> list[Callback]:
        """Callbacks that want to see validation scores."""
        callbacks = self.trainer.callbacks
        return [c for c in callbacks if hasattr(c, "on_validation_score")]

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
        for callback in self._watchers():
            callback.on_validation_score(self.trainer, self, *tensors)

    def score(self, *inputs: Tensor) -> Tensor:
        """Detection statistics of kernels in rows and columns.

        Args:
            inputs: of the network, each of shape ``(row, column, ...)``;
                there may be no rows.

        Returns:
            Statistics of shape ``(row, column)``.
        """
        shape = inputs[0].shape[:2]
        if not len(inputs[0]):
            return inputs[0].new_zeros(shape)
        return self(*(X.flatten(0, 1) for X in inputs)).view(shape)

    def on_validation_epoch_end(self) -> None:
        """Log the score and forget the epoch's."""
        self.log("valid_auroc", self.metric.compute(), prog_bar=True)
        self.metric.reset()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameters and what of AdamW differs for them, by default all."""
        return [{"params": list(self.parameters())}]

    def configure_optimizers(self) -> dict[str, object]:
        """AdamW under a one-cycle schedule."""
        peak = self.learning_rate * self.trainer.world_size
        optimizer = torch.optim.AdamW(
            self.parameter_groups(), lr=peak, weight_decay=self.weight_decay
        )
        # OneCycleLR divides by the length of the ramp less one step
        steps = max(4, self._total_steps())
        scheduler = OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
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
