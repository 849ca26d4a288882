"""Which events of a search are astrophysical."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ledger.events import EventSet, RecoveredInjectionSet
from ledger.injections import InjectionParameterSet
from numpy.typing import NDArray
from p_astro import Pastro
from p_astro.background import KdeAndPolynomialBackground
from p_astro.foreground import KdeForeground
from p_astro.samples import FitError

from plots.injected import InjectedPrior
from plots.vetoing import Search
from plots.volume import Weights

Array = NDArray[np.float64]

log = logging.getLogger(__name__)

LISTED = 20
"""Zero-lag events that are listed at most."""


@dataclass(frozen=True)
class Candidates:
    """The loudest events of the unshifted data, loudest first.

    Attributes:
        time: GPS seconds, shape ``(event,)``.
        statistic: detection statistic, ``(event,)``.
        far: false-alarm rate (1/yr), ``(event,)``.
        beyond: whether an event is louder than all of the background, so
            that its rate is only known to be at most ``far``, ``(event,)``.
        p_astro: ``(event,)``; None without a model.
    """

    time: Array
    statistic: Array
    far: Array
    beyond: NDArray[np.bool_]
    p_astro: Array | None


@dataclass(frozen=True)
class Astrophysical:
    """A model of p_astro and what it says about the unshifted data.

    Attributes:
        rate: mergers per Gpc^3 and year.
        model: p_astro; None where the events are too few for one.
        missing: why there is no model, or None.
        expected: sum of p_astro over all zero-lag events; None without a
            model or unshifted data.
        loudest: zero-lag events, if there are unshifted data.
    """

    rate: float
    model: Pastro | None
    missing: str | None
    expected: float | None
    loudest: Candidates | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What limits the use of these numbers."""
        return (self.missing,) if self.missing else ()

    def write(self, path: Path) -> None:
        """Write the model; without one, remove that of an earlier run.

        Args:
            path: the file, complete or absent.
        """
        if self.model is None:
            path.unlink(missing_ok=True)
        else:
            self.model.write(path)


def p_astro_model(
    background: EventSet,
    foreground: RecoveredInjectionSet,
    rejected: InjectionParameterSet,
    injected: InjectedPrior,
    rate: float,
    origin: Mapping[str, str] | None = None,
    unvetoed: NDArray[np.bool_] | None = None,
) -> Pastro:
    """Model p_astro for a population like the injections.

    f = R V0 sum_found w_i K(rho - rho_i), with weights that make the
    injections uniform in comoving volume and source-frame time
    (:meth:`plots.injected.InjectedPrior.prior_log_weights`); b from the
    events of the time-slides (``docs/science/p_astro.md``). Both are rates
    per unvetoed time: with vetoes, the tables are those that they left, and
    of the injections only those at unvetoed times are taken, with the
    weight of all.

    Args:
        background: events of the time-slides.
        foreground: kept injections with what was found of them.
        rejected: draws that were too quiet to be searched for.
        injected: the prior of kept and rejected injections together.
        rate: R, mergers of that population per Gpc^3 and year.
        origin: what the model is made of, for those who read its file.
        unvetoed: kept injections at unvetoed times, shape ``(kept,)``;
            None: all of them.

    Returns:
        The model.

    Raises:
        UserError: if the rate is negative or the prior did not make the
            injections.
        FitError: if there are too few events or found injections.
    """
    weights = Weights.from_logarithms(
        injected.prior_log_weights(foreground),
        injected.prior_log_weights(rejected),
    )
    kept = weights.kept
    if unvetoed is not None:
        kept = np.where(unvetoed, kept, 0.0)
        part = kept.sum()
        if not part:
            raise FitError("every injection is at a vetoed time")
        # Times do not depend on parameters: those left stand for all.
        kept *= weights.kept.sum() / part
    signals = KdeForeground.from_arrays(
        foreground.detection_statistic,
        kept,
        injected.total_volume,
        rate,
    )
    return Pastro(signals, KdeAndPolynomialBackground(background), origin)


def assess(
    search: Search,
    rejected: InjectionParameterSet,
    injected: InjectedPrior,
    rate: float,
    origin: Mapping[str, str] | None = None,
) -> Astrophysical:
    """Model p_astro of a search and apply it to the unshifted data.

    Args:
        search: its tables, without what was vetoed.
        rejected: draws that were too quiet to be searched for.
        injected: the prior of kept and rejected injections together.
        rate: mergers per Gpc^3 and year.
        origin: what the model is made of, for those who read its file.

    Returns:
        The model with the loudest events. Where there are too few events or
        found injections for one, the reason is logged and kept.

    Raises:
        UserError: if the rate is negative or the prior did not make the
            injections.
    """
    model = missing = expected = loudest = None
    try:
        model = p_astro_model(
            search.background,
            search.foreground,
            rejected,
            injected,
            rate,
            origin,
            search.unvetoed,
        )
    except FitError as error:
        missing = f"p_astro is not given: {error}"
        log.warning(missing)
    if search.zero_lag is not None:
        loudest = _loudest(search.zero_lag, search.background, model)
        if model is not None:
            every = model(search.zero_lag.detection_statistic)
            expected = float(np.sum(every))
    return Astrophysical(rate, model, missing, expected, loudest)


def _loudest(
    events: EventSet, background: EventSet, model: Pastro | None
) -> Candidates:
    order = np.argsort(-events.detection_statistic, kind="stable")[:LISTED]
    statistic = events.detection_statistic[order]
    return Candidates(
        events.detection_time[order],
        statistic,
        background.far(statistic),
        background.nb(statistic) == 0,
        None if model is None else np.asarray(model(statistic)),
    )
