"""What the PNGs and the HTML page share: colours, labels, choices."""

import numpy as np
from ledger.events import SECONDS_IN_YEAR
from ledger.intervals import ONE_SIGMA
from numpy.typing import NDArray

from plots.analysis import Analysis

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
"""Distinct to the colour-blind (Okabe and Ito, 2008)."""

BACKGROUND = "#555555"
ZERO_LAG = "#D55E00"
FOUND = "#0072B2"
FOUND_LOUD = "#009E73"
MISSED = "#D55E00"
P_ASTRO = "#CC79A7"

LEVELS = (0.9973, 0.9545, ONE_SIGMA)
"""Probability content of the Poisson bands: 3, 2 and 1 sigma."""

ZERO_LAG_BARS = 10
"""Loudest zero-lag events that get an error bar."""

MAXIMUM_POINTS = 20_000
"""Injections shown in a scatter plot; more would only hide each other."""

FAR_LABEL = "False-alarm rate [1/yr]"
VOLUME_LABEL = "Sensitive volume [Gpc³]"
IFAR_LABEL = "Inverse false-alarm rate [yr]"
RATE_LABEL = "Cumulative rate [1/yr]"
STATISTIC_LABEL = "Detection statistic"
CHIRP_MASS_LABEL = "Detector-frame chirp mass [M☉]"
DISTANCE_LABEL = "Luminosity distance [Mpc]"
SNR_LABEL = "Network SNR"
FRACTION_LABEL = "Recovered fraction"
DENSITY_LABEL = "Events per unit of statistic [1/yr]"
P_ASTRO_LABEL = "p_astro"

NAMED_RATES = (
    ("per minute", SECONDS_IN_YEAR / 60),
    ("per hour", SECONDS_IN_YEAR / 3600),
    ("per day", SECONDS_IN_YEAR / 86400),
    ("per week", SECONDS_IN_YEAR / (7 * 86400)),
    ("per month", 12.0),
    ("per year", 1.0),
)


def rate_name(far: float) -> str:
    """A false-alarm rate in words.

    Args:
        far: rate (1/yr).

    Returns:
        ``1 per hour`` and the like, or the number per year.
    """
    for name, rate in NAMED_RATES:
        if np.isclose(far, rate, rtol=1e-6):
            return f"1 {name}"
    return f"{_round(far)} per year"


def duration_name(seconds: float) -> str:
    """A livetime in words.

    Args:
        seconds: the livetime (s).

    Returns:
        The number of hours, days or years, whichever reads best.
    """
    for unit, length in (("year", SECONDS_IN_YEAR), ("day", 86400)):
        if seconds >= 2 * length:
            return f"{_round(seconds / length)} {unit}s"
    return f"{_round(seconds / 3600)} hours"


def _round(value: float) -> str:
    """Three digits, without an exponent where a number is readable."""
    if 1000 <= value < 1e6:
        return f"{round(value, 2 - int(np.log10(value))):.0f}"
    return f"{value:.3g}"


def lowest_rate(analysis: Analysis) -> float:
    """Where axes of rates begin: a fifth of one event in ``Tb`` (1/yr)."""
    return SECONDS_IN_YEAR / analysis.background.livetime / 5


def highest_volume(analysis: Analysis) -> float:
    """Where axes of volume end: above all bands and the legend (Gpc^3)."""
    tops = [np.max(row.volume + row.error) for row in analysis.volumes]
    return 1.25 * max(tops, default=0.0) or analysis.total_volume


def marker_size(count: int) -> float:
    """Diameter in points at which ``count`` markers stay apart."""
    return float(np.clip(40 / max(count, 1) ** 0.25, 3, 7))


def marker_alpha(count: int) -> float:
    """Opacity at which ``count`` markers let each other shine through."""
    return 0.8 if count < 3000 else 0.5


def colour(index: int) -> str:
    """Colour of the population with this index."""
    return COLOURS[index % len(COLOURS)]


def categories(
    analysis: Analysis,
) -> list[tuple[str, str, str, NDArray[np.intp]]]:
    """Sort injections into found at the lowest FAR, found and missed.

    No more than :data:`MAXIMUM_POINTS` are chosen, by a fixed seed.

    Args:
        analysis: holds the injections.

    Returns:
        Label, colour, marker (a bokeh name) and indices of each category,
        in the order in which they are to be drawn: missed ones last, since
        a loud signal that was missed matters most.
    """
    far = analysis.injections.far
    shown = np.arange(len(far))
    if len(far) > MAXIMUM_POINTS:
        generator = np.random.default_rng(0)
        shown = generator.choice(shown, MAXIMUM_POINTS, replace=False)
    lowest = SECONDS_IN_YEAR / analysis.background.livetime
    limit = max(analysis.reference_far, lowest)
    loud = far <= lowest * (1 + 1e-9)
    found = far <= limit * (1 + 1e-9)
    rows = [
        (
            f"found (FAR up to {rate_name(lowest)}, 1/Tb)",
            FOUND_LOUD,
            "triangle",
            shown[loud[shown]],
        )
    ]
    if limit > lowest:
        rows.append(
            (
                f"found (FAR up to {rate_name(limit)})",
                FOUND,
                "circle",
                shown[(found & ~loud)[shown]],
            )
        )
    rows.append(
        (
            f"missed (FAR above {rate_name(limit)})",
            MISSED,
            "x",
            shown[~found[shown]],
        )
    )
    return rows
