"""What the HTML page shows of p_astro: a figure and a table."""

from collections.abc import Iterator

import numpy as np
from bokeh.models import (
    ColumnDataSource,
    HoverTool,
    LinearAxis,
    LinearScale,
    Range1d,
)
from numpy.typing import NDArray
from p_astro import Pastro
from p_astro.density import TailedKde

from plots import appearance
from plots.astrophysical import Astrophysical
from plots.canvas_html import Figure, new_figure, place_legend

Array = NDArray[np.float64]

POINTS = 500
"""Of a curve."""

DEPTH = 1e-4
"""Lowest density shown, relative to the peak of the lower curve."""

TAIL = 5.0
"""Tail shown, in decay lengths: 100 samples reach ln(100) = 4.6 of them."""

COLUMNS = ("GPS time [s]", "Statistic", "False-alarm rate", "p_astro")
"""Heads of the table of the loudest events."""


def p_astro(astrophysical: Astrophysical) -> Figure | None:
    """Densities of signals and noise, and p_astro on an axis of its own.

    Args:
        astrophysical: the model, with events that are marked.

    Returns:
        The plot; None without a model.
    """
    model = astrophysical.model
    if model is None:
        return None
    plot = new_figure(
        f"p_astro for {astrophysical.rate:g} mergers per Gpc³ and year",
        appearance.STATISTIC_LABEL,
        appearance.DENSITY_LABEL,
        y_axis_type="log",
    )
    loudest = astrophysical.loudest
    statistic = _statistics(
        model, None if loudest is None else loudest.statistic
    )
    curves = {
        "signals": model.foreground_model(statistic),
        "noise": model.background_model(statistic),
    }
    peaks = [curve.max() for curve in curves.values() if curve.max() > 0]
    plot.y_range.start = DEPTH * min(peaks)
    plot.y_range.end = 3 * max(peaks)
    plot.extra_y_ranges = {"probability": Range1d(0, 1.05)}
    # Without a scale of its own it would be logarithmic like the other.
    plot.extra_y_scales = {"probability": LinearScale()}
    axis = LinearAxis(
        y_range_name="probability", axis_label=appearance.P_ASTRO_LABEL
    )
    axis.axis_label_text_font_style = "normal"
    plot.add_layout(axis, "right")
    source = ColumnDataSource(
        {"statistic": statistic, "p_astro": model(statistic), **curves}
    )
    hovered = []
    for name, label, colour, extra in (
        ("signals", "signals, f", appearance.FOUND, {}),
        ("noise", "noise, b", appearance.BACKGROUND, {}),
        (
            "p_astro",
            "p_astro (right axis)",
            appearance.P_ASTRO,
            {"y_range_name": "probability", "line_dash": "dashed"},
        ),
    ):
        line = plot.line(
            "statistic",
            name,
            source=source,
            color=colour,
            line_width=2.2,
            legend_label=label,
            **extra,
        )
        hovered.append(line)
    plot.add_tools(
        HoverTool(
            renderers=hovered[-1:],
            tooltips=[
                ("statistic", "@statistic{0.000}"),
                ("signals [1/yr]", "@signals{0.00e+0}"),
                ("noise [1/yr]", "@noise{0.00e+0}"),
                ("p_astro", "@p_astro{0.0000}"),
            ],
        )
    )
    if loudest is not None and loudest.statistic.size:
        plot.scatter(
            loudest.statistic,
            loudest.p_astro,
            y_range_name="probability",
            color=appearance.ZERO_LAG,
            marker="diamond",
            size=8,
            legend_label="loudest of zero lag",
        )
    place_legend(plot, None)
    return plot


def _statistics(model: Pastro, events: Array | None) -> Array:
    """Statistics at which densities are shown, those of events included."""
    densities = (
        model.foreground_model.density,
        model.background_model.density,
    )
    low = min(map(_quietest, densities))
    high = max(
        *(density.split + TAIL / density.decay for density in densities),
        -np.inf if events is None else events.max(initial=-np.inf),
    )
    return np.linspace(low, high, POINTS)


def _quietest(density: TailedKde) -> float:
    shown = density.log_density > density.log_density.max() + np.log(DEPTH)
    return float(density.nodes[np.argmax(shown)])


def sentence(astrophysical: Astrophysical, prior: str) -> str:
    """Say what p_astro assumes and what it makes of the unshifted data.

    Args:
        astrophysical: the model.
        prior: name of the prior that made the injections.

    Returns:
        Plain text; empty without a model.
    """
    if astrophysical.model is None:
        return ""
    signals = astrophysical.model.foreground_model
    text = (
        f"p_astro assumes {astrophysical.rate:g} mergers per Gpc³ and year "
        f"with the masses and spins of {prior}, of which this search would "
        f"find {signals.total_rate:.3g} per year at any statistic, chance "
        "coincidences with noise included."
    )
    if astrophysical.expected is not None:
        text += (
            " All events of the unshifted data together are worth "
            f"{astrophysical.expected:.3g} signals."
        )
    return text


def rows(astrophysical: Astrophysical) -> Iterator[tuple[str, ...]]:
    """The loudest events of the unshifted data, loudest first.

    Args:
        astrophysical: holds them.

    Yields:
        A cell for each of :data:`COLUMNS`.
    """
    loudest = astrophysical.loudest
    if loudest is None:
        return
    for index in range(loudest.time.size):
        limit = "≤ " if loudest.beyond[index] else ""
        yield (
            f"{loudest.time[index]:.3f}",
            f"{loudest.statistic[index]:.4g}",
            f"{limit}{appearance.rate_name(loudest.far[index])}",
            "not given"
            if loudest.p_astro is None
            else f"{loudest.p_astro[index]:.3g}",
        )
