"""Pictures of what the network is given and what it makes of it."""

import math
import shutil
from pathlib import Path

import torch
from conventions.files import complete
from lightning import Callback, LightningModule, Trainer
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from train.wandb_logger import WandbLogger

DIRECTORY = "plots"
TABLE = "validation"
MAX_PICTURES = 100
"""Rows of a table that W&B shows."""

EXAMPLES = ("loudest background", "loudest signal", "faintest signal")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, complete or not at all, without a display."""
    canvas = FigureCanvasAgg(figure)
    with complete(path) as temporary:
        canvas.print_png(temporary)


class Example:
    """The sample of an epoch whose score is the most extreme.

    Args:
        sign: 1 for the largest score, -1 for the smallest.

    Attributes:
        score: of the sample, None before there is one.
        tensors: what the network was given and what it predicted, without
            the batch dimensions.
    """

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.score: float | None = None
        self.tensors: list[Tensor] = []

    def offer(self, scores: Tensor, tensors: list[Tensor]) -> None:
        """Take a sample that is more extreme.

        Args:
            scores: of shape ``(row, column)``.
            tensors: of shape ``(row, column, ...)``.
        """
        if scores.numel() == 0:
            return
        index = int((self.sign * scores).argmax())
        row, column = divmod(index, scores.shape[1])
        score = float(scores[row, column])
        if self.score is None or self.sign * score > self.sign * self.score:
            self.score = score
            self.tensors = [x[row, column].detach().cpu() for x in tensors]


class ValidationPlots(Callback):
    """Draws inputs, predictions and scores of validations.

    One picture of each goes to ``plots`` in the run's directory and, with
    W&B, into a row of one table. Of long trainings, only every so many
    epochs are drawn. With several devices, what the first one saw is drawn.

    Args:
        run_dir: directory of the run.
    """

    def __init__(self, run_dir: Path) -> None:
        self.directory = Path(run_dir) / DIRECTORY
        self._forget()

    def _forget(self) -> None:
        self._examples = [Example(1), Example(1), Example(-1)]
        self._scores: tuple[list[Tensor], list[Tensor]] = ([], [])

    @staticmethod
    def _wanted(trainer: Trainer) -> bool:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return False
        every = math.ceil(max(1, trainer.max_epochs or 1) / MAX_PICTURES)
        return trainer.current_epoch % every == 0

    def on_validation_score(
        self, trainer: Trainer, module: LightningModule, *tensors: Tensor
    ) -> None:
        """Keep scores and the most extreme samples of a batch.

        Args:
            trainer: that validates.
            module: that is validated.
            tensors: pairs of background and foreground: scores, inputs,
                predictions, as the module shows them.
        """
        if not self._wanted(trainer):
            return
        background, foreground = tensors[:2]
        self._scores[0].append(background.detach().float().amax(1).cpu())
        self._scores[1].append(foreground.detach().float().mean(1).cpu())
        noise, *signals = self._examples
        noise.offer(background, list(tensors[2::2]))
        for example in signals:
            example.offer(foreground, list(tensors[3::2]))

    def on_validation_end(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        """Draw what was kept."""
        if not self._wanted(trainer):
            return
        epoch = trainer.current_epoch
        pictures = {
            "inputs": draw_examples(self._examples),
            "scores": draw_scores(*map(torch.cat, self._scores)),
        }
        self._forget()
        paths = {}
        for name, figure in pictures.items():
            figure.suptitle(f"epoch {epoch}")
            paths[name] = self.directory / f"{name}-{epoch:04}.png"
            save(figure, paths[name])
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.add_pictures(TABLE, epoch, paths, trainer.global_step)


def remove(run_dir: Path) -> None:
    """Remove the pictures of an earlier training."""
    shutil.rmtree(run_dir / DIRECTORY, ignore_errors=True)


def draw_scores(background: Tensor, foreground: Tensor) -> Figure:
    """Distribution of the validation's scores.

    Args:
        background: largest score of each window.
        foreground: mean score of each signal.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    scores = torch.cat([background, foreground])
    low, high = float(scores.min()), float(scores.max())
    edges = torch.linspace(low, max(high, low + 1e-6), 51).numpy()
    for label, values in (("noise", background), ("signals", foreground)):
        axes.hist(
            values.numpy(),
            bins=edges,
            histtype="step",
            label=f"{label} ({len(values)})",
        )
    axes.set(xlabel="score", ylabel="count", yscale="log")
    axes.legend()
    return figure


def draw_examples(examples: list[Example]) -> Figure:
    """One column an example, one row for each input and prediction."""
    rows = max(1, *(len(example.tensors) for example in examples))
    figure = Figure(figsize=(12, 3 * rows), layout="constrained")
    panels = figure.subplots(rows, len(examples), squeeze=False)
    for column, (title, example) in enumerate(
        zip(EXAMPLES, examples, strict=True)
    ):
        if example.score is None:
            title = f"no {title.split()[-1]}"
        else:
            title = f"{title}: {example.score:.3g}"
        panels[0, column].set_title(title)
        for row, tensor in enumerate(example.tensors):
            _draw(panels[row, column], tensor)
    return figure


def _draw(axes: Axes, tensor: Tensor) -> None:
    """Channels as lines above each other, or their mean as an image."""
    tensor = (tensor.abs() if tensor.is_complex() else tensor).float()
    if tensor.ndim == 3:
        axes.imshow(tensor.mean(0).numpy(), aspect="auto", origin="lower")
        return
    lines = tensor.reshape(-1, tensor.shape[-1])
    spacing = 2 * float(lines.abs().max().clamp(min=1e-6))
    for channel, line in enumerate(lines):
        axes.plot((line + spacing * channel).numpy(), lw=0.7)
    axes.set_yticks([spacing * i for i in range(len(lines))])
    axes.set_yticklabels([f"channel {i}" for i in range(len(lines))])
    axes.set_xlabel("sample")
