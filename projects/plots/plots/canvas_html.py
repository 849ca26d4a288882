"""Empty interactive figures of one look."""

from bokeh.models import Legend
from bokeh.plotting import figure

Figure = figure

TOOLS = "pan,box_zoom,wheel_zoom,reset,save"


def new_figure(
    title: str, x_label: str, y_label: str, **settings: object
) -> Figure:
    """Make a figure.

    Args:
        title: above it.
        x_label: of the horizontal axis.
        y_label: of the vertical axis.
        settings: for bokeh's ``figure``.

    Returns:
        The figure, without anything drawn.
    """
    plot = figure(
        title=title,
        height=430,
        sizing_mode="stretch_width",
        tools=TOOLS,
        toolbar_location="above",
        **settings,
    )
    plot.toolbar.logo = None
    plot.xaxis.axis_label = x_label
    plot.yaxis.axis_label = y_label
    plot.axis.axis_label_text_font_style = "normal"
    return plot


def place_legend(plot: Figure, location: str | None) -> None:
    """Put the legend at a corner, or under the plot; a click hides.

    Args:
        plot: with something that has a legend.
        location: corner, such as ``top_left``; None: under the plot.
    """
    legend: Legend = plot.legend[0]
    legend.click_policy = "hide"
    legend.background_fill_alpha = 0.7
    legend.border_line_alpha = 0
    if location is None:
        plot.add_layout(legend, "below")
    else:
        legend.location = location
