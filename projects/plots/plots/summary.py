"""The few numbers by which a search is judged, as JSON."""

import json
import math
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from conventions.files import complete
from ledger.events import SECONDS_IN_YEAR
from ledger.intervals import ONE_SIGMA

from plots.analysis import Analysis
from plots.astrophysical import Astrophysical
from plots.efficiency import Efficiency
from plots.injected import InjectedPrior
from plots.vetoing import Search

PACKAGES = (
    "plots",
    "ledger",
    "p_astro",
    "priors",
    "numpy",
    "scipy",
    "bilby",
    "astropy",
    "h5py",
    "matplotlib",
    "bokeh",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages behind the numbers."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def _finite(value: float | None) -> float | None:
    """JSON has no infinity; a threshold of -inf lets every event pass."""
    return value if value is not None and math.isfinite(value) else None


def _bins(rows: Sequence[Efficiency]) -> list[dict[str, Any]]:
    return [
        {
            "snr": row.name,
            "minimum": row.minimum,
            "maximum": None if math.isinf(row.maximum) else row.maximum,
            "injections": row.count,
            "found": row.found,
            "fraction": row.fraction,
            "interval": [row.low, row.high] if row.count else None,
        }
        for row in rows
    ]


def _vetos(search: Search) -> dict[str, Any] | None:
    """What each category took (livetimes in s), and all of them."""
    if not search.losses:
        return None
    return {
        "settings": search.veto_settings,
        "losses": {name: asdict(row) for name, row in search.losses.items()},
    }


def _p_astro(astrophysical: Astrophysical) -> dict[str, Any] | None:
    """The model in numbers; None without one, as ``warnings`` tells."""
    model = astrophysical.model
    if model is None:
        return None
    return {
        "sensitive_volume": model.foreground_model.sensitive_volume,
        "foreground_rate": model.foreground_model.total_rate,
        "background_rate": model.background_model.total_rate,
        "zero_lag": _zero_lag(astrophysical),
    }


def _zero_lag(astrophysical: Astrophysical) -> dict[str, Any] | None:
    events = astrophysical.loudest
    if events is None:
        return None
    loudest = None
    if events.time.size:
        loudest = {
            "time": float(events.time[0]),
            "statistic": float(events.statistic[0]),
            "far": float(events.far[0]),
            "far_is_upper_limit": bool(events.beyond[0]),
            "p_astro": float(events.p_astro[0]),
        }
    return {"expected_signals": astrophysical.expected, "loudest": loudest}


def volume_at(analysis: Analysis, far: float) -> int | None:
    """Index of the largest tabulated FAR that does not exceed ``far``.

    Args:
        analysis: holds the table.
        far: a false-alarm rate (1/yr).

    Returns:
        The index, or None where ``far`` is below all of the table.
    """
    index = int(np.searchsorted(analysis.far, far, side="right")) - 1
    return index if index >= 0 else None


def summarise(
    analysis: Analysis,
    injected: InjectedPrior,
    ifos: Sequence[str],
    search: Search,
    astrophysical: Astrophysical,
) -> dict[str, Any]:
    """Collect the numbers by which a search is judged.

    Args:
        analysis: the computed numbers.
        injected: the prior that made the injections.
        ifos: interferometers that were searched.
        search: what was analysed, with what vetoes took from it.
        astrophysical: p_astro and the loudest events.

    Returns:
        What ``summary.json`` holds. Livetimes are in s, rates in 1/yr,
        volumes in Gpc^3; what cannot be given is None and ``unresolved``
        or ``warnings`` say why.
    """
    background = analysis.background
    reference = volume_at(analysis, analysis.reference_far)
    populations = {}
    for row in analysis.volumes:
        at_reference = None
        if reference is not None:
            at_reference = {
                "far": float(analysis.far[reference]),
                "volume": float(row.volume[reference]),
                "error": float(row.error[reference]),
            }
        populations[row.population.name] = {
            "masses": [
                row.population.mass_1_source,
                row.population.mass_2_source,
            ],
            "ess": row.ess,
            "ess_kept": row.ess_kept,
            "coverage": row.coverage,
            "at_reference_far": at_reference,
            "at_lowest_far": {
                "far": float(analysis.far[0]),
                "volume": float(row.volume[0]),
                "error": float(row.error[0]),
            },
        }
    return {
        "ifos": list(ifos),
        "prior": {
            "name": injected.name,
            "arguments": dict(injected.arguments),
            "detector_frame": injected.detector_frame,
            "redshift_range": list(injected.redshift_range),
            "total_volume": analysis.total_volume,
        },
        "livetime": {
            "background": background.livetime,
            "zero_lag": (
                None
                if analysis.zero_lag is None
                else analysis.zero_lag.livetime
            ),
        },
        "counts": analysis.counts,
        "vetos": _vetos(search),
        "far_range": {
            "lowest": SECONDS_IN_YEAR / background.livetime,
            "highest": float(analysis.far[-1]),
        },
        "recovered_fraction": {
            "far": analysis.reference_far,
            "threshold": _finite(analysis.reference_threshold),
            "unresolved": analysis.unresolved,
            "interval_level": ONE_SIGMA,
            "bins": _bins(analysis.efficiencies),
            "summary": {
                entry["snr"]: entry
                for entry in _bins(analysis.summary_efficiencies)
            },
        },
        "populations": populations,
        "astro_event_rate": astrophysical.rate,
        "p_astro": _p_astro(astrophysical),
        "warnings": [
            *search.warnings,
            *analysis.warnings,
            *astrophysical.warnings,
        ],
        "versions": versions(),
    }


def write(summary: dict[str, Any], path: Path) -> None:
    """Write a summary as JSON, complete or not at all.

    Args:
        summary: from :func:`summarise`.
        path: the file.

    Raises:
        ValueError: if a number is not finite, which JSON cannot hold.
    """
    text = json.dumps(summary, indent=2, allow_nan=False)
    with complete(path) as temporary:
        temporary.write_text(text + "\n")
