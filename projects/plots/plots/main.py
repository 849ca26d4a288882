"""Sensitive volume of a search: from its tables to numbers and plots."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conventions.errors import UserError
from ledger.events import EventSet, RecoveredInjectionSet
from ledger.injections import InjectionParameterSet
from ledger.livetime import LivetimeSet
from ledger.veto_set import VetoSet

from plots import figures_png, page, store, summary
from plots.analysis import HOURLY, analyse
from plots.astrophysical import assess
from plots.efficiency import SNR_BINS, SNR_SUMMARY_BINS
from plots.injected import InjectedPrior
from plots.populations import POPULATIONS, Population
from plots.vetoing import Search, without_vetoed


def sensitive_volume(
    background: Path,
    foreground: Path,
    rejected: Path,
    zero_lag: Path | None,
    output_dir: Path,
    *,
    prior: str,
    prior_arguments: Mapping[str, Any] | None = None,
    ifos: Sequence[str],
    astro_event_rate: float,
    populations: Sequence[Population] = POPULATIONS,
    reference_far: float = HOURLY,
    snr_bins: Sequence[tuple[float, float]] = SNR_BINS,
    snr_summary_bins: Sequence[tuple[float, float]] = SNR_SUMMARY_BINS,
    vetos: Sequence[str] = (),
    veto_file: Path | None = None,
    livetime: Path | None = None,
) -> dict[str, Any]:
    """Compute the sensitive volume of a search and draw its plots.

    Writes ``sensitive_volume.hdf5`` (see :func:`plots.store.write`),
    ``p_astro.hdf5`` (a ``Pastro``, whose origin has the SHA-256
    of the background's file; none where there are too few events), one PNG
    for each of :data:`plots.figures_png.FIGURES`, ``report.html`` and, last,
    ``summary.json`` (see :func:`plots.summary.summarise`). Each file is
    complete or absent.

    Args:
        background: events of the time-slides (``EventSet``).
        foreground: kept injections with what was found of them
            (``RecoveredInjectionSet``).
        rejected: draws too quiet to be searched for
            (``InjectionParameterSet``).
        zero_lag: events of the unshifted data (``EventSet``), if any.
        output_dir: where the files go.
        prior: dotted name of the prior function that made the injections.
        prior_arguments: its keyword arguments.
        ifos: interferometers that were searched.
        astro_event_rate: mergers per Gpc^3 and year, of a population like
            the injections, for p_astro
            (:func:`plots.astrophysical.p_astro_model`).
        populations: for which a volume is computed.
        reference_far: rate at which the recovered fraction is quoted
            (1/yr).
        snr_bins: network SNR bins that follow one another.
        snr_summary_bins: network SNR bins that judge a network.
        vetos: categories of vetoed times that are taken out of the search
            (:func:`plots.vetoing.without_vetoed`), such as CAT1 or GATES.
        veto_file: the vetoed times (``VetoSet``); needed with ``vetos``.
        livetime: the searched stretches, unshifted ones included
            (``LivetimeSet``); needed with ``vetos``.

    Returns:
        What ``summary.json`` holds.

    Raises:
        UserError: if a file is missing or foreign, the tables are not of
            one run, the prior did not make the injections, the rate is
            negative, or the vetoes leave no background.
    """
    injected = InjectedPrior.load(prior, prior_arguments)
    search = Search(
        EventSet.read(background),
        RecoveredInjectionSet.read(foreground),
        None if zero_lag is None else EventSet.read(zero_lag),
    )
    if vetos:
        if veto_file is None or livetime is None:
            raise UserError(
                f"vetos: {', '.join(vetos)} need the vetoed times "
                "(veto_file) and the searched stretches (livetime)"
            )
        search = without_vetoed(
            search,
            LivetimeSet.read(livetime),
            VetoSet.read(veto_file),
            vetos,
            ifos,
        )
    quiet = InjectionParameterSet.read(rejected)
    analysis = analyse(
        search.background,
        search.foreground,
        quiet,
        search.zero_lag,
        injected,
        populations,
        reference_far,
        snr_bins,
        snr_summary_bins,
    )
    with Path(background).open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    astrophysical = assess(
        search,
        quiet,
        injected,
        astro_event_rate,
        {"background_sha256": checksum},
    )
    numbers = summary.summarise(
        analysis, injected, ifos, search, astrophysical
    )
    output_dir = Path(output_dir)
    store.write(analysis, output_dir / "sensitive_volume.hdf5")
    astrophysical.write(output_dir / "p_astro.hdf5")
    figures_png.write(analysis, output_dir)
    page.write(analysis, astrophysical, numbers, output_dir / "report.html")
    summary.write(numbers, output_dir / "summary.json")
    return numbers
