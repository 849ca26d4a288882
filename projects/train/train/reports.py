"""Curves of a training, drawn from its CSV file."""

import argparse
import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from conventions.errors import UserError
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from train.logger import METRICS
from train.plots import DIRECTORY, save

Curve = list[tuple[float, float]]
Draw = Callable[[Axes, str, Sequence[float], Sequence[float]], None]

SMOOTHED = 20
"""Points of the loss in one average, once there are several times as many."""


def read_metrics(path: Path) -> dict[str, Curve]:
    """Read the metrics of a run.

    Args:
        path: of the CSV file, one row a step, empty where nothing was
            logged.

    Returns:
        Steps and values of each metric, in the order of the steps.

    Raises:
        UserError: if the file is missing, or not one of metrics.
    """
    if not path.is_file():
        raise UserError(
            f"no metrics at {path}: a training writes them, and its "
            "directory is what a report is made of"
        )
    curves: dict[str, Curve] = {}
    try:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                step = float(row.pop("step"))
                for name, value in row.items():
                    if value:
                        curves.setdefault(name, []).append(
                            (step, float(value))
                        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is not a file of metrics: {type(error).__name__} {error}"
        ) from error
    return curves


def write(run_dir: Path) -> list[Path]:
    """Draw loss, learning rate and validation scores.

    Args:
        run_dir: holds ``metrics.csv``; pictures go to ``plots`` in it.

    Returns:
        The PNG files: one for each curve that has points.

    Raises:
        UserError: if the metrics are missing or hold none of the curves.
    """
    path = run_dir / METRICS
    metrics = read_metrics(path)
    figures = {
        "loss": _named(metrics, "train_loss", _draw_loss),
        "learning_rate": _named(metrics, "lr-", _draw_line),
    }
    for name in metrics:
        if name.startswith("valid_"):
            figures[name] = _named(metrics, name, _draw_score)
    written = []
    for name, lines in figures.items():
        if lines:
            target = run_dir / DIRECTORY / f"{name}.png"
            save(_figure(name, lines), target)
            written.append(target)
    if not written:
        raise UserError(f"{path} has no loss, learning rate or score")
    return written


def _named(
    metrics: dict[str, Curve], prefix: str, draw: Draw
) -> list[tuple[str, Curve, Draw]]:
    return [
        (name, curve, draw)
        for name, curve in metrics.items()
        if name.startswith(prefix)
    ]


def _figure(name: str, lines: list[tuple[str, Curve, Draw]]) -> Figure:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for label, curve, draw in lines:
        steps, values = zip(*curve, strict=True)
        draw(axes, label, steps, values)
    axes.set(xlabel="step", ylabel=name.replace("_", " "))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _draw_line(
    axes: Axes, label: str, steps: Sequence[float], values: Sequence[float]
) -> None:
    axes.plot(steps, values, label=label)


def _draw_loss(
    axes: Axes, label: str, steps: Sequence[float], values: Sequence[float]
) -> None:
    """The loss of batches, and its average over neighbours."""
    axes.plot(steps, values, lw=0.6, alpha=0.5, label=f"{label} of a batch")
    starts = range(0, len(steps) - SMOOTHED + 1, SMOOTHED)
    if len(starts) > 2:
        axes.plot(
            [sum(steps[i : i + SMOOTHED]) / SMOOTHED for i in starts],
            [sum(values[i : i + SMOOTHED]) / SMOOTHED for i in starts],
            label=f"mean of {SMOOTHED}",
        )
    if min(values) > 0:
        axes.set_yscale("log")


def _draw_score(
    axes: Axes, label: str, steps: Sequence[float], values: Sequence[float]
) -> None:
    """The score of epochs, its best one marked."""
    axes.plot(steps, values, "o-", ms=3)
    value, step = max(zip(values, steps, strict=True))
    best = f"best: {value:.4f} at step {step:.0f}"
    axes.plot(step, value, "*", ms=12, label=best)


def main(args: list[str]) -> None:
    """Run ``python -m train report RUN_DIR``.

    Args:
        args: what follows ``report``.
    """
    parser = argparse.ArgumentParser(
        prog="train report",
        description="Draw loss, learning rate and valid_auroc of a training.",
    )
    parser.add_argument("run_dir", type=Path, help="directory of the run")
    for path in write(parser.parse_args(args).run_dir):
        print(path)  # noqa: T201 (the command's answer)
