"""Everything that the files and figures of this stage show."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from conventions.errors import UserError
from ledger.events import (
    SECONDS_IN_YEAR,
    EventSet,
    RecoveredInjectionSet,
)
from ledger.injections import InjectionParameterSet
from numpy.typing import NDArray

from plots.efficiency import (
    SNR_BINS,
    SNR_SUMMARY_BINS,
    Efficiency,
    recovered_fractions,
)
from plots.injected import InjectedPrior
from plots.populations import POPULATIONS, Population
from plots.rates import CumulativeRate, cumulative_rate, far_axis
from plots.volume import RecoveredStatistics, Weights

Array = NDArray[np.float64]

log = logging.getLogger(__name__)

HOURLY = SECONDS_IN_YEAR / 3600
"""One per hour, in 1/yr."""

SMALL_SAMPLE = 100.0
"""Effective number of searched draws below which a volume is doubtful."""

COVERAGE = 0.99
"""Part of a population that the injections must reach."""


@dataclass(frozen=True)
class PopulationVolume:
    """Sensitive volume of one population.

    Attributes:
        population: the target.
        volume: V at each threshold (Gpc^3), shape ``(far,)``.
        error: its standard error (Gpc^3), shape ``(far,)``.
        ess: effective number of all draws.
        ess_kept: effective number of the draws that were searched for.
        coverage: part of the population that the injections reach.
    """

    population: Population
    volume: Array
    error: Array
    ess: float
    ess_kept: float
    coverage: float


@dataclass(frozen=True)
class Injections:
    """Injections as the figure of found and missed shows them.

    Attributes:
        chirp_mass: in the detector frame (solar masses), ``(kept,)``.
        distance: luminosity distance (Mpc), ``(kept,)``.
        snr: network SNR, ``(kept,)``.
        far: false-alarm rate (1/yr), ``inf`` where missed, ``(kept,)``.
    """

    chirp_mass: Array
    distance: Array
    snr: Array
    far: Array


@dataclass(frozen=True)
class Analysis:
    """Sensitive volumes, rates and efficiencies of one search.

    Attributes:
        far: false-alarm rates (1/yr), ascending, shape ``(far,)``.
        thresholds: smallest statistic at each of them, ``(far,)``.
        total_volume: V0, the volume that the injections fill (Gpc^3).
        volumes: one entry a population.
        background: cumulative rate of the background.
        zero_lag: that of the unshifted data, if it was searched.
        injections: the kept injections.
        reference_far: the rate at which efficiencies are quoted (1/yr).
        reference_threshold: its threshold; None if it is not resolved.
        unresolved: why there is no reference threshold, or None.
        efficiencies: recovered fraction by SNR, bins that follow one
            another; empty without a reference threshold.
        summary_efficiencies: the same for the bins that judge a network.
        counts: what was counted, by name.
        warnings: what limits the use of these numbers.
    """

    far: Array
    thresholds: Array
    total_volume: float
    volumes: tuple[PopulationVolume, ...]
    background: CumulativeRate
    zero_lag: CumulativeRate | None
    injections: Injections
    reference_far: float
    reference_threshold: float | None
    unresolved: str | None
    efficiencies: tuple[Efficiency, ...]
    summary_efficiencies: tuple[Efficiency, ...]
    counts: dict[str, int | None]
    warnings: tuple[str, ...] = field(default=())


def _check(
    foreground: RecoveredInjectionSet,
    rejected: InjectionParameterSet,
) -> None:
    drawn = foreground.num_injections
    tables = len(foreground) + len(rejected)
    if drawn != tables:
        raise UserError(
            f"{drawn} injections were drawn according to the table of "
            f"recovered injections, but it holds {len(foreground)} and the "
            f"table of rejected parameters {len(rejected)}, together "
            f"{tables}: the two are not of the same run"
        )


def _volumes(
    injected: InjectedPrior,
    populations: Sequence[Population],
    foreground: RecoveredInjectionSet,
    rejected: InjectionParameterSet,
    thresholds: Array,
) -> tuple[PopulationVolume, ...]:
    kept, lost = injected.draws(foreground), injected.draws(rejected)
    recovered = RecoveredStatistics(foreground.detection_statistic)
    rows = []
    for population in populations:
        weights = Weights.from_logarithms(
            kept.log_weights(population), lost.log_weights(population)
        )
        volume, error = recovered.volume(
            weights, thresholds, injected.total_volume
        )
        rows.append(
            PopulationVolume(
                population,
                volume,
                error,
                weights.ess,
                weights.ess_kept,
                injected.coverage(population),
            )
        )
    return tuple(rows)


def _warnings(
    injected: InjectedPrior,
    volumes: Sequence[PopulationVolume],
    unresolved: str | None,
) -> list[str]:
    messages = [unresolved] if unresolved else []
    for row in volumes:
        if row.ess_kept < SMALL_SAMPLE:
            messages.append(
                f"population {row.population.name}: the searched injections "
                f"are worth only {row.ess_kept:.1f} of its own binaries "
                f"(fewer than {SMALL_SAMPLE:g}); its volume and error are "
                "rough"
            )
        if row.coverage < COVERAGE:
            messages.append(
                f"population {row.population.name}: only "
                f"{row.coverage:.1%} of it lies where the prior "
                f"{injected.name} is not zero; its volume is that of this "
                "part"
            )
    return messages


def analyse(
    background: EventSet,
    foreground: RecoveredInjectionSet,
    rejected: InjectionParameterSet,
    zero_lag: EventSet | None,
    injected: InjectedPrior,
    populations: Sequence[Population] = POPULATIONS,
    reference_far: float = HOURLY,
    snr_bins: Sequence[tuple[float, float]] = SNR_BINS,
    snr_summary_bins: Sequence[tuple[float, float]] = SNR_SUMMARY_BINS,
) -> Analysis:
    """Compute sensitive volumes, rates and efficiencies.

    Args:
        background: events of the time-slides.
        foreground: kept injections with what was found of them.
        rejected: draws that were too quiet to be searched for.
        zero_lag: events of the unshifted data, if it was searched.
        injected: the prior of kept and rejected injections together.
        populations: targets of the importance weights.
        reference_far: rate at which efficiencies are quoted (1/yr).
        snr_bins: network SNR bins that follow one another.
        snr_summary_bins: network SNR bins that judge a network.

    Returns:
        The analysis. Warnings are logged and kept in it.

    Raises:
        UserError: if there is no livetime or no draw, the tables disagree
            on the number of draws, or the prior did not make them.
    """
    _check(foreground, rejected)
    far = far_axis(background)
    if far[0] <= reference_far <= far[-1]:
        far = np.union1d(far, reference_far)
    thresholds = background.threshold_at_far(far)
    statistics = foreground.detection_statistic
    missed = np.isneginf(statistics)
    injection_far = np.full(len(statistics), np.inf)
    injection_far[~missed] = background.far(statistics[~missed])
    volumes = _volumes(injected, populations, foreground, rejected, thresholds)

    lowest = background.min_far
    threshold = unresolved = None
    efficiencies: tuple[Efficiency, ...] = ()
    summary: tuple[Efficiency, ...] = ()
    if reference_far < lowest:
        unresolved = (
            f"a false-alarm rate of {reference_far:.6g} per year is below "
            f"{lowest:.6g} per year, the smallest that a background of "
            f"{background.Tb:.6g} s resolves (1/Tb): no recovered fraction "
            "is given"
        )
    else:
        threshold = float(background.threshold_at_far(reference_far))
        efficiencies = recovered_fractions(
            foreground.snr, statistics, threshold, snr_bins
        )
        summary = recovered_fractions(
            foreground.snr, statistics, threshold, snr_summary_bins
        )

    warnings = _warnings(injected, volumes, unresolved)
    for message in warnings:
        log.warning(message)
    return Analysis(
        far=far,
        thresholds=thresholds,
        total_volume=injected.total_volume,
        volumes=volumes,
        background=cumulative_rate(background, background),
        zero_lag=(
            None if zero_lag is None else cumulative_rate(zero_lag, background)
        ),
        injections=Injections(
            foreground.chirp_mass,
            foreground.luminosity_distance,
            foreground.snr,
            injection_far,
        ),
        reference_far=reference_far,
        reference_threshold=threshold,
        unresolved=unresolved,
        efficiencies=efficiencies,
        summary_efficiencies=summary,
        counts={
            "background_events": len(background),
            "zero_lag_events": None if zero_lag is None else len(zero_lag),
            "injections": len(foreground) + len(rejected),
            "kept": len(foreground),
            "rejected": len(rejected),
            "found_at_any_far": int(np.sum(~missed)),
            "found_at_reference_far": (
                None
                if threshold is None
                else int(np.sum((statistics >= threshold) & ~missed))
            ),
        },
        warnings=tuple(warnings),
    )
