"""Interactive figures of an analysis, for the HTML page."""

import numpy as np
from bokeh.models import (
    ColumnDataSource,
    HoverTool,
    Label,
    Span,
    Whisker,
)
from numpy.typing import NDArray

from plots import appearance
from plots.analysis import Analysis
from plots.canvas_html import Figure, new_figure, place_legend
from plots.rates import CumulativeRate


def volume(analysis: Analysis) -> Figure:
    """Sensitive volume against false-alarm rate, with 1-sigma bands.

    Args:
        analysis: the numbers.

    Returns:
        The plot, one curve a population.
    """
    plot = new_figure(
        "Sensitive volume (source-frame masses, 1-sigma bands)",
        appearance.FAR_LABEL,
        appearance.VOLUME_LABEL,
        x_axis_type="log",
    )
    few = len(analysis.far) < 30
    lines = []
    for index, row in enumerate(analysis.volumes):
        colour = appearance.colour(index)
        label = (
            f"{row.population.mass_1_source:g} + "
            f"{row.population.mass_2_source:g} M☉"
        )
        source = ColumnDataSource(
            {
                "far": analysis.far,
                "volume": row.volume,
                "error": row.error,
                "low": np.maximum(row.volume - row.error, 0),
                "high": row.volume + row.error,
                "threshold": analysis.thresholds,
                "name": [row.population.name] * len(analysis.far),
            }
        )
        plot.varea(
            "far",
            "low",
            "high",
            source=source,
            color=colour,
            alpha=0.2,
            legend_label=label,
        )
        lines.append(
            plot.line(
                "far",
                "volume",
                source=source,
                color=colour,
                line_width=2.5,
                legend_label=label,
            )
        )
        if few:
            plot.scatter("far", "volume", source=source, color=colour, size=7)
    plot.add_tools(
        HoverTool(
            renderers=lines,
            tooltips=[
                ("population", "@name"),
                ("FAR [1/yr]", "@far{0.000a}"),
                ("V [Gpc³]", "@volume{0.0000} ± @error{0.0000}"),
                ("threshold", "@threshold{0.000}"),
            ],
        )
    )
    plot.add_layout(
        Span(
            location=analysis.reference_far,
            dimension="height",
            line_color="#999999",
            line_dash="dotted",
        )
    )
    plot.add_layout(
        Label(
            x=analysis.reference_far,
            y=6,
            y_units="screen",
            x_offset=4,
            text=appearance.rate_name(analysis.reference_far),
            text_color="#666666",
            text_font_size="11px",
        )
    )
    plot.y_range.start = 0
    plot.y_range.end = appearance.highest_volume(analysis)
    if analysis.volumes:
        place_legend(plot, "top_left")
    return plot


def _rate_source(
    curve: CumulativeRate, against: str, loudest: int | None = None
) -> ColumnDataSource:
    data: dict[str, NDArray] = {
        "x": getattr(curve, against),
        "statistic": curve.statistic,
        "ifar": curve.ifar,
        "rate": curve.rate,
        "count": curve.count,
    }
    for index, level in enumerate(appearance.LEVELS):
        low, high = curve.band(level)
        data[f"low{index}"] = low
        data[f"high{index}"] = high
    return ColumnDataSource(
        {name: values[:loudest] for name, values in data.items()}
    )


def background_rate(analysis: Analysis, against: str) -> Figure:
    """Cumulative rate of background and zero lag, with Poisson bands.

    Args:
        analysis: the numbers.
        against: ``statistic`` or ``ifar``.

    Returns:
        The plot.
    """
    labels = {
        "statistic": appearance.STATISTIC_LABEL,
        "ifar": appearance.IFAR_LABEL,
    }
    plot = new_figure(
        f"Cumulative rate against {labels[against].split(' [')[0].lower()}",
        labels[against],
        appearance.RATE_LABEL,
        x_axis_type="log" if against == "ifar" else "linear",
        y_axis_type="log",
    )
    if len(analysis.background.count):
        plot.y_range.start = appearance.lowest_rate(analysis)
    source = _rate_source(analysis.background, against)
    name = "background (1, 2, 3-sigma Poisson)"
    for index, alpha in enumerate((0.15, 0.22, 0.3)):
        plot.varea(
            "x",
            f"low{index}",
            f"high{index}",
            source=source,
            color=appearance.BACKGROUND,
            alpha=alpha,
            legend_label=name,
        )
    hovered = [
        plot.line(
            "x",
            "rate",
            source=source,
            color=appearance.BACKGROUND,
            line_width=2,
            legend_label=name,
        )
    ]
    if analysis.zero_lag is not None and len(analysis.zero_lag.count):
        zero_lag = _rate_source(analysis.zero_lag, against)
        loudest = _rate_source(
            analysis.zero_lag, against, appearance.ZERO_LAG_BARS
        )
        livetime = appearance.duration_name(analysis.zero_lag.livetime)
        innermost = len(appearance.LEVELS) - 1
        plot.add_layout(
            Whisker(
                base="x",
                lower=f"low{innermost}",
                upper=f"high{innermost}",
                source=loudest,
                line_color=appearance.ZERO_LAG,
                line_alpha=0.6,
                upper_head=None,
                lower_head=None,
            )
        )
        hovered.append(
            plot.scatter(
                "x",
                "rate",
                source=zero_lag,
                color=appearance.ZERO_LAG,
                marker="diamond",
                size=7,
                legend_label=f"zero lag, {livetime} (68% intervals)",
            )
        )
    plot.add_tools(
        HoverTool(
            renderers=hovered,
            tooltips=[
                ("statistic", "@statistic{0.000}"),
                ("IFAR [yr]", "@ifar{0.000e+0}"),
                ("rate [1/yr]", "@rate{0.000a}"),
                ("events", "@count"),
            ],
        )
    )
    place_legend(plot, "top_right" if against == "ifar" else "bottom_left")
    return plot


def found_missed(analysis: Analysis) -> Figure:
    """Found and missed injections in distance against chirp mass.

    Args:
        analysis: the numbers.

    Returns:
        The plot.
    """
    plot = new_figure(
        "Found and missed injections",
        appearance.CHIRP_MASS_LABEL,
        appearance.DISTANCE_LABEL,
        x_axis_type="log",
        y_axis_type="log",
    )
    injections = analysis.injections
    size = appearance.marker_size(len(injections.far))
    alpha = appearance.marker_alpha(len(injections.far))
    for label, colour, marker, indices in appearance.categories(analysis):
        plot.scatter(
            "chirp_mass",
            "distance",
            source=ColumnDataSource(
                {
                    "chirp_mass": injections.chirp_mass[indices],
                    "distance": injections.distance[indices],
                    "snr": injections.snr[indices],
                    "far": injections.far[indices],
                }
            ),
            marker=marker,
            color=colour,
            size=size,
            alpha=alpha,
            legend_label=f"{label}: {len(indices)}",
        )
    plot.add_tools(
        HoverTool(
            tooltips=[
                ("chirp mass", "@chirp_mass{0.0} M☉"),
                ("distance", "@distance{0} Mpc"),
                ("SNR", "@snr{0.0}"),
                ("FAR [1/yr]", "@far"),
            ]
        )
    )
    place_legend(plot, None)
    return plot


def recovered_fraction(analysis: Analysis) -> Figure:
    """Recovered fraction by network SNR, with binomial intervals.

    Args:
        analysis: the numbers.

    Returns:
        The plot.
    """
    rows = [row for row in analysis.efficiencies if row.count]
    names = [row.name for row in rows]
    rate = appearance.rate_name(analysis.reference_far)
    plot = new_figure(
        f"Recovered at a false-alarm rate of {rate} (68% intervals)",
        appearance.SNR_LABEL,
        appearance.FRACTION_LABEL,
        x_range=names or ["none"],
        y_range=(0, 1.05),
    )
    source = ColumnDataSource(
        {
            "snr": names,
            "fraction": [row.found / row.count for row in rows],
            "low": [row.low for row in rows],
            "high": [row.high for row in rows],
            "found": [row.found for row in rows],
            "count": [row.count for row in rows],
        }
    )
    bars = plot.vbar(
        "snr",
        top="fraction",
        width=0.8,
        source=source,
        color=appearance.FOUND,
        alpha=0.4,
    )
    plot.add_layout(
        Whisker(
            base="snr",
            lower="low",
            upper="high",
            source=source,
            line_color=appearance.FOUND,
            line_width=2,
        )
    )
    plot.add_tools(
        HoverTool(
            renderers=[bars],
            tooltips=[
                ("SNR", "@snr"),
                ("found", "@found of @count"),
                ("fraction", "@fraction{0.000} [@low{0.000}, @high{0.000}]"),
            ],
        )
    )
    return plot
