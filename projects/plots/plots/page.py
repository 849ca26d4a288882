"""The report as one HTML page that opens without a network."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from bokeh.embed import components
from bokeh.resources import INLINE
from conventions.files import complete

from plots import appearance, astrophysical_html, figures_html
from plots.analysis import Analysis
from plots.astrophysical import Astrophysical

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 0 auto;
       max-width: 1280px; padding: 1.5rem; background: #fff; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 1.75rem 0 .5rem; }
p { margin: .25rem 0; max-width: 60rem; }
.columns { display: grid; gap: 1.5rem;
           grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); }
.columns > * { min-width: 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { padding: .25rem .6rem; text-align: right;
         border-bottom: 1px solid #e2e2e2;
         font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; color: #555; }
.warning { border-left: 4px solid #E69F00; background: #fff8e8;
           padding: .5rem .9rem .5rem 2rem; margin: .75rem 0; }
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sensitive volume</title>
<style>{style}</style>
{resources}
</head>
<body>
<h1>Sensitive volume</h1>
<p>{lead}</p>
{warnings}
<div class="columns">
<section><h2>Volume at a fixed false-alarm rate</h2>{volumes}</section>
<section><h2>Recovered injections by SNR</h2>{fractions}</section>
</div>
{candidates}
<h2>Figures</h2>
<p>Click a legend entry to hide it; hover for numbers.</p>
<div class="columns">
{figures}
</div>
<h2>What was counted</h2>
<div class="columns"><section>{counts}</section>
<section>{versions}</section></div>
{vetos}
{script}
</body>
</html>
"""


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    def line(cells: Sequence[object], tag: str) -> str:
        inside = "".join(f"<{tag}>{escape(str(c))}</{tag}>" for c in cells)
        return f"<tr>{inside}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return (
        f"<table><thead>{line(head, 'th')}</thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _volumes(populations: dict[str, Any]) -> str:
    def cell(entry: dict[str, float] | None) -> str:
        if entry is None:
            return "not resolved"
        return f"{entry['volume']:.3g} ± {entry['error']:.2g}"

    return _table(
        ("Masses [M☉]", "V [Gpc³] at 1/Tb", "at reference", "ESS"),
        (
            (
                name.replace("-", " + "),
                cell(row["at_lowest_far"]),
                cell(row["at_reference_far"]),
                f"{row['ess_kept']:.3g}",
            )
            for name, row in populations.items()
        ),
    )


def _fractions(recovered: dict[str, Any]) -> str:
    if recovered["unresolved"]:
        return f"<p>{escape(recovered['unresolved'])}</p>"
    rows = []
    bins = {row["snr"]: row for row in recovered["bins"]}
    for row in (bins | recovered["summary"]).values():
        if row["injections"]:
            low, high = row["interval"]
            shown = f"{row['fraction']:.3f}"
            interval = f"{low:.3f} to {high:.3f}"
        else:
            shown = interval = "no injections"
        rows.append(
            (
                row["snr"],
                f"{row['found']} / {row['injections']}",
                shown,
                interval,
            )
        )
    return _table(("Network SNR", "Found", "Fraction", "68% interval"), rows)


def _candidates(astrophysical: Astrophysical, prior: str) -> str:
    """What p_astro says, of the unshifted data where there are any."""
    text = escape(astrophysical_html.sentence(astrophysical, prior))
    if astrophysical.loudest is None:
        return f"<p>{text}</p>"
    table = _table(
        astrophysical_html.COLUMNS, astrophysical_html.rows(astrophysical)
    )
    return (
        f"<h2>Loudest events of the unshifted data</h2>\n<p>{text}</p>{table}"
    )


def _counts(summary: dict[str, Any]) -> str:
    rows: list[tuple[str, str]] = [
        (f"Livetime, {name.replace('_', ' ')}", f"{seconds:.0f} s")
        for name, seconds in summary["livetime"].items()
        if seconds is not None
    ]
    rows += [
        (name.replace("_", " ").capitalize(), f"{count:d}")
        for name, count in summary["counts"].items()
        if count is not None
    ]
    limits = summary["far_range"]
    rows.append(
        (
            "False-alarm rates resolved",
            f"{limits['lowest']:.4g} to {limits['highest']:.4g} per year",
        )
    )
    rows.append(
        (
            "Volume that injections fill",
            f"{summary['prior']['total_volume']:.4g} Gpc³",
        )
    )
    return _table(("Quantity", "Value"), rows)


def _vetos(vetos: dict[str, Any] | None, livetime: dict[str, Any]) -> str:
    """What was vetoed, out of what there was before."""
    if vetos is None:
        return ""
    everything = vetos["losses"]["all"]
    before = {
        name: (livetime[name] or 0.0) + (everything[f"{name}_seconds"] or 0.0)
        for name in ("background", "zero_lag")
    }

    def time(loss: dict[str, Any], name: str) -> str:
        seconds = loss[f"{name}_seconds"]
        if seconds is None:
            return "not applied"
        share = seconds / before[name] if before[name] else 0.0
        return f"{seconds:.0f} s ({share:.2%})"

    def count(value: int | None) -> str:
        return "not applied" if value is None else f"{value:d}"

    rows = (
        (
            name,
            time(loss, "background"),
            count(loss["background_events"]),
            count(loss["injections"]),
            time(loss, "zero_lag"),
            count(loss["zero_lag_events"]),
        )
        for name, loss in vetos["losses"].items()
    )
    head = (
        "Category",
        "Background time",
        "Events",
        "Injections now missed",
        "Zero-lag time",
        "Events",
    )
    return (
        "<h2>What was vetoed</h2>\n<p>Each category by itself, then all "
        "together. The livetimes and counts above are without vetoed "
        f"time.</p>\n{_table(head, rows)}"
    )


def _warnings(messages: Sequence[str]) -> str:
    if not messages:
        return ""
    items = "".join(f"<li>{escape(message)}</li>" for message in messages)
    return f'<ul class="warning">{items}</ul>'


def render(
    analysis: Analysis, astrophysical: Astrophysical, summary: dict[str, Any]
) -> str:
    """Draw the page.

    Args:
        analysis: the numbers.
        astrophysical: p_astro and the loudest events.
        summary: of the same analysis, as ``summary.json`` holds it.

    Returns:
        HTML with scripts and styles inside; it loads nothing.
    """
    figures = (
        figures_html.volume(analysis),
        figures_html.found_missed(analysis),
        figures_html.background_rate(analysis, "statistic"),
        figures_html.background_rate(analysis, "ifar"),
        figures_html.recovered_fraction(analysis),
        astrophysical_html.p_astro(astrophysical),
    )
    script, divisions = components(
        [figure for figure in figures if figure is not None]
    )
    reference = appearance.rate_name(analysis.reference_far)
    livetime = appearance.duration_name(summary["livetime"]["background"])
    lead = (
        f"{'-'.join(summary['ifos'])}: {livetime} of background, "
        f"{summary['counts']['kept']} injections searched for out of "
        f"{summary['counts']['injections']} drawn from "
        f"{summary['prior']['name']}. The reference false-alarm rate is "
        f"{reference}."
    )
    return PAGE.format(
        style=STYLE,
        resources=INLINE.render(),
        lead=escape(lead),
        warnings=_warnings(summary["warnings"]),
        volumes=_volumes(summary["populations"]),
        fractions=_fractions(summary["recovered_fraction"]),
        candidates=_candidates(astrophysical, summary["prior"]["name"]),
        figures="\n".join(f"<div>{division}</div>" for division in divisions),
        counts=_counts(summary),
        vetos=_vetos(summary["vetos"], summary["livetime"]),
        versions=_table(("Software", "Version"), summary["versions"].items()),
        script=script,
    )


def write(
    analysis: Analysis,
    astrophysical: Astrophysical,
    summary: dict[str, Any],
    path: Path,
) -> None:
    """Write the page, complete or not at all.

    Args:
        analysis: the numbers.
        astrophysical: p_astro and the loudest events.
        summary: of the same analysis.
        path: the file.
    """
    with complete(path) as temporary:
        temporary.write_text(
            render(analysis, astrophysical, summary), encoding="utf-8"
        )
