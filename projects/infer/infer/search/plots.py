"""Draws the detection statistic and the loudest event."""

from pathlib import Path

import numpy as np
from conventions.files import complete
from gwpy.timeseries import TimeSeries
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerLine2D
from matplotlib.lines import Line2D

from infer.search import rates
from infer.search.analysis import Analysis
from infer.search.report import Found
from infer.search.run import Run
from infer.search.stretches import Stretch

LEVELS = ("1/hour", "1/day", "1/month", "1/yr")
AROUND_EVENT = 0.5
AROUND_FOR_PSD = 16.0
QRANGE = (4.0, 64.0)


def draw(
    analysis: Analysis, found: Found, run: Run, directory: Path
) -> list[Path]:
    """Draw the statistic over time and Q-transforms of the loudest event.

    Args:
        analysis: of the strain.
        found: its events.
        run: whose background gives the levels.
        directory: for ``detection_statistic.png`` and, when there is an
            event, ``loudest_event.png``.

    Returns:
        The files.
    """
    path = directory / "detection_statistic.png"
    _save(_statistic(analysis, found, run), path)
    if len(found.events) == 0:
        return [path]
    time = float(found.events.detection_time[0])
    stretch = analysis.containing(time)
    loudest = directory / "loudest_event.png"
    _save(_transforms(stretch, time, run), loudest)
    return [path, loudest]


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with complete(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _statistic(analysis: Analysis, found: Found, run: Run) -> Figure:
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots()
    origin = np.floor(analysis.stretches[0].start)
    for i, part in enumerate(analysis.parts):
        axes.plot(
            part.right_edges - origin,
            part.raw,
            ".-",
            color="tab:gray",
            linewidth=0.8,
            markersize=3,
            label=None if i else "network output, at its kernel's right edge",
        )
        axes.plot(
            part.times - origin,
            part.integrated,
            color="tab:blue",
            label=None if i else "integrated, at the coalescence it means",
        )
    _shade(axes, analysis, origin)
    _levels(axes, run)
    if len(found.events):
        axes.plot(
            found.events.detection_time[0] - origin,
            found.events.detection_statistic[0],
            "v",
            color="tab:red",
            markersize=9,
            label="loudest event",
        )
    axes.set_xlabel(f"seconds after GPS {origin:.0f}")
    axes.set_ylabel("detection statistic")
    axes.set_xlim(
        analysis.stretches[0].start - origin,
        analysis.stretches[-1].stop - origin,
    )
    # gwpy replaces matplotlib's legend handler for lines by one of its own.
    figure.legend(
        loc="outside upper center",
        ncols=4,
        fontsize="small",
        numpoints=1,
        handler_map={Line2D: HandlerLine2D()},
    )
    return figure


def _shade(axes: Axes, analysis: Analysis, origin: float) -> None:
    low, high = analysis.stretches[0].start, analysis.stretches[-1].stop
    edge = low
    for begin, end in [*analysis.covered, (high, high)]:
        if begin > edge:
            axes.axvspan(
                edge - origin,
                begin - origin,
                color="0.9",
                label="not analysed" if edge == low else None,
            )
        edge = max(edge, end)


def _levels(axes: Axes, run: Run) -> None:
    floor = run.background.min_far
    levels = [rate for rate in map(rates.parse, LEVELS) if rate > floor]
    for i, rate in enumerate([*levels, floor]):
        threshold = run.background.threshold_at_far(rate)
        if not np.isfinite(threshold):
            continue
        axes.axhline(threshold, color="black", linestyle=":", linewidth=1)
        axes.annotate(
            f"FAR {rates.show(rate)}",
            (1 - 0.15 * i, threshold),
            xycoords=axes.get_yaxis_transform(),
            ha="right",
            va="bottom",
            fontsize="small",
        )


def _transforms(stretch: Stretch, time: float, run: Run) -> Figure:
    config = run.manifest.preprocessing
    figure = Figure(figsize=(10, 3.2 * config.num_ifos), layout="constrained")
    rows = figure.subplots(config.num_ifos, sharex=True, squeeze=False)[:, 0]
    # The highest frequency that the lowest Q allows (gwpy's QTiling).
    top = config.sample_rate / 2 / (1 + 11**0.5 / QRANGE[0])
    band = (config.highpass or 20.0, top)
    for axes, ifo, strain in zip(
        rows, config.ifos, stretch.strain, strict=True
    ):
        series = TimeSeries(
            strain, t0=stretch.start, sample_rate=stretch.sample_rate
        )
        series = series.crop(
            max(stretch.start, time - AROUND_FOR_PSD),
            min(stretch.stop, time + AROUND_FOR_PSD),
        )
        power = series.q_transform(
            qrange=QRANGE,
            frange=band,
            outseg=(
                max(stretch.start, time - AROUND_EVENT),
                min(stretch.stop, time + AROUND_EVENT),
            ),
            whiten=series.asd(fftlength=config.fftlength, method="median"),
            fduration=config.fduration,
            highpass=config.highpass,
        )
        image = axes.pcolormesh(
            power.times.value - time,
            power.frequencies.value,
            power.value.T,
            vmin=0,
            vmax=max(25.0, float(power.value.max())),
            shading="auto",
            rasterized=True,
        )
        axes.set_yscale("log")
        axes.set_ylabel(f"{ifo}: frequency in Hz")
        figure.colorbar(image, ax=axes, label="normalised energy")
    rows[-1].set_xlabel(f"seconds after GPS {time:.3f}, the loudest event")
    return figure
