"""Figures of an analysis as PNG."""

from pathlib import Path

import numpy as np
from conventions.files import complete
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from plots import appearance
from plots.analysis import Analysis
from plots.rates import CumulativeRate

MARKERS = {"x": "x", "circle": "o", "triangle": "^"}
DPI = 150
SOLAR_MASS = r"$M_\odot$"


def _figure(columns: int = 1, width: float = 8.0) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.grid(which="major", color="#dddddd", linewidth=0.7)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def volume(analysis: Analysis) -> Figure:
    """Sensitive volume against false-alarm rate, with 1-sigma bands.

    Args:
        analysis: the numbers.

    Returns:
        The figure, one curve a population.
    """
    figure, (axis,) = _figure()
    few = len(analysis.far) < 30
    for index, row in enumerate(analysis.volumes):
        colour = appearance.colour(index)
        axis.fill_between(
            analysis.far,
            np.maximum(row.volume - row.error, 0),
            row.volume + row.error,
            color=colour,
            alpha=0.2,
            linewidth=0,
        )
        axis.plot(
            analysis.far,
            row.volume,
            color=colour,
            linewidth=2,
            marker="o" if few else None,
            markersize=4,
            label=f"{row.population.mass_1_source:g} + "
            f"{row.population.mass_2_source:g} {SOLAR_MASS}",
        )
    axis.axvline(
        analysis.reference_far, color="#999999", linestyle=":", linewidth=1.2
    )
    axis.annotate(
        appearance.rate_name(analysis.reference_far),
        (analysis.reference_far, 0.01),
        xycoords=("data", "axes fraction"),
        xytext=(4, 2),
        textcoords="offset points",
        color="#666666",
        fontsize=9,
    )
    axis.set_xscale("log")
    axis.set_ylim(0, appearance.highest_volume(analysis))
    axis.set_xlabel(appearance.FAR_LABEL)
    axis.set_ylabel(appearance.VOLUME_LABEL)
    axis.set_title("Sensitive volume (source-frame masses, 1-sigma bands)")
    axis.legend(frameon=False, loc="upper left")
    return figure


def _rate_curve(
    axis: Axes, curve: CumulativeRate, against: str, colour: str, name: str
) -> None:
    x = getattr(curve, against)
    for level, alpha in zip(appearance.LEVELS, (0.15, 0.22, 0.3), strict=True):
        low, high = curve.band(level)
        axis.fill_between(x, low, high, color=colour, alpha=alpha, linewidth=0)
    axis.plot(x, curve.rate, color=colour, linewidth=1.8, label=name)


def _zero_lag(axis: Axes, curve: CumulativeRate, against: str) -> None:
    low, high = curve.band(appearance.LEVELS[-1])
    x, rate = getattr(curve, against), curve.rate
    loudest = slice(0, appearance.ZERO_LAG_BARS)
    axis.plot(x, rate, color=appearance.ZERO_LAG, linewidth=1.2)
    axis.errorbar(
        x[loudest],
        rate[loudest],
        yerr=((rate - low)[loudest], (high - rate)[loudest]),
        color=appearance.ZERO_LAG,
        marker="D",
        markersize=4,
        linewidth=0,
        elinewidth=0.8,
        label=f"zero lag, {appearance.duration_name(curve.livetime)}"
        " (68% intervals)",
    )


def background_rate(analysis: Analysis) -> Figure:
    """Cumulative rate of background and zero lag, with Poisson bands.

    Args:
        analysis: the numbers.

    Returns:
        The figure: against the detection statistic on the left, against
        the inverse false-alarm rate on the right.
    """
    figure, axes = _figure(columns=2, width=11.0)
    for axis, against in zip(axes, ("statistic", "ifar"), strict=True):
        _rate_curve(
            axis,
            analysis.background,
            against,
            appearance.BACKGROUND,
            "background (1, 2, 3-sigma Poisson)",
        )
        if analysis.zero_lag is not None and len(analysis.zero_lag.count):
            _zero_lag(axis, analysis.zero_lag, against)
        if len(analysis.background.count):
            axis.set_yscale("log")
            axis.set_ylim(bottom=appearance.lowest_rate(analysis))
        axis.set_ylabel(appearance.RATE_LABEL)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(frameon=False)
    if len(analysis.background.count):
        axes[1].set_xscale("log")
    axes[0].set_xlabel(appearance.STATISTIC_LABEL)
    axes[1].set_xlabel(appearance.IFAR_LABEL)
    livetime = appearance.duration_name(analysis.background.livetime)
    figure.suptitle(f"Cumulative event rate, background of {livetime}")
    return figure


def found_missed(analysis: Analysis) -> Figure:
    """Found and missed injections in distance against chirp mass.

    Args:
        analysis: the numbers.

    Returns:
        The figure.
    """
    figure, (axis,) = _figure()
    injections = analysis.injections
    size = appearance.marker_size(len(injections.far))
    alpha = appearance.marker_alpha(len(injections.far))
    for label, colour, marker, indices in appearance.categories(analysis):
        open_marker = marker == "x"
        axis.scatter(
            injections.chirp_mass[indices],
            injections.distance[indices],
            s=size**2,
            marker=MARKERS[marker],
            color=colour,
            alpha=alpha,
            linewidths=0.8 if open_marker else 0,
            label=f"{label}: {len(indices)}",
        )
    if len(injections.distance):
        axis.set_xscale("log")
        axis.set_yscale("log")
        _plain_ticks(axis)
    axis.set_xlabel(appearance.CHIRP_MASS_LABEL.replace("M☉", SOLAR_MASS))
    axis.set_ylabel(appearance.DISTANCE_LABEL)
    axis.set_title("Found and missed injections")
    axis.legend(
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.13),
        ncols=3,
        fontsize=8,
        handletextpad=0.2,
    )
    return figure


def _plain_ticks(axis: Axes) -> None:
    """Write 20 rather than 2 x 10^1, at 1, 2 and 5 of each decade."""
    for scale in (axis.xaxis, axis.yaxis):
        scale.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        scale.set_major_formatter("{x:g}")
        scale.set_minor_formatter(NullFormatter())


def recovered_fraction(analysis: Analysis) -> Figure:
    """Recovered fraction by network SNR, with binomial intervals.

    Args:
        analysis: the numbers.

    Returns:
        The figure; without a reference threshold it says why it is empty.
    """
    figure, (axis,) = _figure()
    rows = [row for row in analysis.efficiencies if row.count]
    positions = np.arange(len(rows))
    fractions = np.array([row.found / row.count for row in rows])
    low = np.array([row.low for row in rows])
    high = np.array([row.high for row in rows])
    axis.bar(
        positions, fractions, width=0.7, color=appearance.FOUND, alpha=0.35
    )
    axis.errorbar(
        positions,
        fractions,
        yerr=(fractions - low, high - fractions),
        color=appearance.FOUND,
        linewidth=0,
        elinewidth=1.6,
        capsize=4,
    )
    for position, row in zip(positions, rows, strict=True):
        axis.annotate(
            f"{row.found} / {row.count}",
            (position, 1.06),
            ha="center",
            fontsize=9,
        )
    axis.set_xticks(positions, [row.name for row in rows])
    axis.set_ylim(0, 1.12)
    axis.set_xlabel(appearance.SNR_LABEL)
    axis.set_ylabel(appearance.FRACTION_LABEL)
    rate = appearance.rate_name(analysis.reference_far)
    axis.set_title(
        f"Recovered at a false-alarm rate of {rate} (68% intervals)"
    )
    if not rows:
        axis.text(
            0.5,
            0.5,
            analysis.unresolved or "no injections",
            transform=axis.transAxes,
            ha="center",
            wrap=True,
        )
    return figure


FIGURES = {
    "volume_vs_far": volume,
    "background_rate": background_rate,
    "found_missed": found_missed,
    "recovered_fraction": recovered_fraction,
}
"""What draws each figure, by its name."""


def write(analysis: Analysis, directory: Path) -> None:
    """Write every figure as a PNG, each complete or absent.

    Args:
        analysis: the numbers.
        directory: where ``<name>.png`` of :data:`FIGURES` go.
    """
    for name, draw in FIGURES.items():
        with complete(directory / f"{name}.png") as temporary:
            draw(analysis).savefig(temporary, dpi=DPI)
