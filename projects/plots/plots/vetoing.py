"""What is left of a search when vetoed times are taken out of it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from conventions.errors import UserError
from conventions.vetos import CATALOG
from ledger import shifts
from ledger.events import EventSet, RecoveredInjectionSet
from ledger.livetime import LivetimeSet
from ledger.veto_set import VetoSet
from numpy.typing import NDArray

log = logging.getLogger(__name__)

_PRECISION = 1e-6
"""Relative difference of livetimes that rounding can make."""


@dataclass(frozen=True)
class Loss:
    """What one category takes by itself, or all of them together.

    Attributes:
        background_seconds: of the livetime of the time-slides.
        background_events: of the time-slides.
        injections: that were found, and count as missed now; None where
            the category does not apply.
        zero_lag_seconds: of the livetime of the unshifted data; None where
            the category does not apply or there are no such data.
        zero_lag_events: of the unshifted data, or None.
    """

    background_seconds: float
    background_events: int
    injections: int | None
    zero_lag_seconds: float | None
    zero_lag_events: int | None


@dataclass(frozen=True)
class Search:
    """The tables of a search.

    Attributes:
        background: events of the time-slides.
        foreground: kept injections with what was found of them.
        zero_lag: events of the unshifted data, if any were searched.
        losses: what each category of vetoes took, and last ``all`` of them;
            empty without vetoes.
        unvetoed: injections whose own time is not vetoed, shape
            ``(kept,)``; None without vetoes, where none is.
        veto_settings: how the vetoes were asked for, or None.
        warnings: what limits the use of the vetoes.
    """

    background: EventSet
    foreground: RecoveredInjectionSet
    zero_lag: EventSet | None
    losses: Mapping[str, Loss] = field(default_factory=dict)
    unvetoed: NDArray[np.bool_] | None = None
    veto_settings: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Stretches:
    """Searched stretches of the time-slides and of the unshifted data."""

    slid: LivetimeSet
    unshifted: LivetimeSet


def without_vetoed(
    search: Search,
    livetime: LivetimeSet,
    vetos: VetoSet,
    categories: Sequence[str],
    ifos: Sequence[str],
) -> Search:
    """Take vetoed times out of a search.

    An event is vetoed if its time is in the data of any ifo. Vetoed events
    of background and unshifted data are removed, and livetimes shrink by
    the vetoed time. An injection whose event is vetoed stays, as missed.
    Known events veto nothing in the unshifted data, and no injection, which
    stands for a signal there.

    Args:
        search: the search without vetoes.
        livetime: all searched stretches, the unshifted ones included.
        vetos: vetoed times.
        categories: which of them to apply.
        ifos: interferometers, in the order of the shifts.

    Returns:
        What is left. Unshifted data without livetime are left out.

    Raises:
        UserError: if a category or ifo has no vetoes, the livetimes of
            events and stretches differ, or no background is left.
    """
    still = shifts.matches(livetime.shift, np.zeros(len(ifos)))
    stretches = _Stretches(livetime[~still], livetime[still])
    _check("background", search.background, stretches.slid)
    if search.zero_lag is not None:
        _check("zero-lag", search.zero_lag, stretches.unshifted)
    losses = {}
    for name in categories:
        losses[name], _ = _take(search, stretches, vetos, [name], ifos)
    losses["all"], left = _take(search, stretches, vetos, categories, ifos)
    if not left.background.Tb > _PRECISION * search.background.Tb:
        raise UserError(
            f"the vetoes {', '.join(categories)} leave nothing of "
            f"{search.background.Tb:g} s of background"
        )
    warnings = tuple(vetos.notes.get("warnings", ()))
    if left.zero_lag is not None and not left.zero_lag.Tb > 0:
        left = replace(left, zero_lag=None)
        warnings += ("the vetoes leave nothing of the unshifted data",)
    for message in warnings:
        log.warning(message)
    return replace(
        left, losses=losses, veto_settings=vetos.settings, warnings=warnings
    )


def _check(what: str, events: EventSet, stretches: LivetimeSet) -> None:
    if abs(stretches.Tb - events.Tb) > _PRECISION * max(events.Tb, 1):
        raise UserError(
            f"the {what} events were found in Tb = {events.Tb:.6f} s, but the "
            f"table of searched stretches has {stretches.Tb:.6f} s: the two "
            "are not of the same search"
        )


def _take(
    search: Search,
    stretches: _Stretches,
    vetos: VetoSet,
    categories: Sequence[str],
    ifos: Sequence[str],
) -> tuple[Loss, Search]:
    """Apply categories; give what they took and what is left."""
    every = vetos.of(categories, ifos)
    seconds = stretches.slid.vetoed(every)
    vetoed = _vetoed(search.background, every)
    background = _left(search.background, vetoed, seconds)
    foreground, zero_lag = search.foreground, search.zero_lag
    injections = unvetoed = zero_lag_seconds = zero_lag_events = None
    flagged = [name for name in categories if name != CATALOG]
    some = vetos.of(flagged, ifos)
    if flagged:
        lost = _vetoed(foreground, some)
        injections = int(lost.sum())
        at_own_time = replace(
            foreground, detection_time=foreground.injection_time
        )
        unvetoed = ~_vetoed(at_own_time, some)
        foreground = replace(
            foreground,
            detection_statistic=np.where(
                lost, -np.inf, foreground.detection_statistic
            ),
            detection_time=np.where(lost, np.nan, foreground.detection_time),
        )
    if zero_lag is not None and flagged:
        unshifted = _vetoed(zero_lag, some)
        zero_lag_seconds = stretches.unshifted.vetoed(some)
        zero_lag_events = int(unshifted.sum())
        zero_lag = _left(zero_lag, unshifted, zero_lag_seconds)
    loss = Loss(
        seconds,
        int(vetoed.sum()),
        injections,
        zero_lag_seconds,
        zero_lag_events,
    )
    left = Search(background, foreground, zero_lag, unvetoed=unvetoed)
    return loss, left


def _vetoed(
    events: EventSet, vetos: Sequence[NDArray[np.float64]]
) -> NDArray[np.bool_]:
    """Find the events that are vetoed in any ifo, shape ``(event,)``."""
    vetoed = np.zeros(len(events), dtype=bool)
    for idx, intervals in enumerate(vetos):
        _, mask = events.apply_vetos(intervals, idx, return_mask=True)
        vetoed |= mask
    return vetoed


def _left(
    events: EventSet, vetoed: NDArray[np.bool_], seconds: float
) -> EventSet:
    left = events[~vetoed]
    left.Tb = max(events.Tb - seconds, 0.0)
    return left
