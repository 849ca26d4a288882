"""Runs the network over stretches of strain and finds events."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from conventions.errors import UserError
from conventions.progress import Progress, silent
from ledger.events import EventSet

from infer.direct import DirectEngine
from infer.postprocess import Postprocessor
from infer.search import plan
from infer.search.plan import Plan
from infer.search.run import Run
from infer.search.stretches import Stretch


@dataclass(frozen=True)
class Part:
    """One stretch that was analysed.

    Attributes:
        stretch: the strain.
        plan: how it was analysed.
        right_edges: GPS seconds of each output's kernel's right edge, of
            shape ``(output,)``, the burn-in left out.
        times: GPS seconds of the coalescence that each integrated output
            means (science.md, Streaming inference).
        raw: outputs of the network.
        integrated: outputs after the causal boxcar.
    """

    stretch: Stretch
    plan: Plan
    right_edges: np.ndarray
    times: np.ndarray
    raw: np.ndarray
    integrated: np.ndarray


@dataclass(frozen=True)
class Analysis:
    """What the network says about the strain.

    Attributes:
        stretches: all strain without gaps, in order of time.
        parts: those that were long enough.
        events: of all parts, loudest first; ``Tb`` is the time analysed.
    """

    stretches: Sequence[Stretch]
    parts: Sequence[Part]
    events: EventSet

    @property
    def livetime(self) -> float:
        """Seconds analysed."""
        return self.events.Tb

    @property
    def covered(self) -> list[tuple[float, float]]:
        """GPS seconds from and to which coalescences are looked for."""
        return [(part.times[0], part.times[-1]) for part in self.parts]

    def containing(self, time: float) -> Stretch:
        """The analysed stretch in which, or nearest to which, a time is."""
        return min(
            (part.stretch for part in self.parts),
            key=lambda one: max(one.start - time, time - one.stop),
        )


def analyse(
    stretches: Sequence[Stretch],
    run: Run,
    device: str = "cpu",
    progress: Progress = silent,
) -> Analysis:
    """Search stretches of strain with a run's network and settings.

    Every stretch starts from an empty state, so that nothing crosses a gap.

    Args:
        stretches: strain without gaps, in order of time.
        run: the network and its settings.
        device: for torch.
        progress: shows the stretches done.

    Raises:
        UserError: if every stretch is too short, or the network's output
            is not finite.
    """
    parts, events = [], EventSet()
    for stretch in progress(stretches, len(stretches), "analysing"):
        chosen = plan.make(stretch.duration, run.manifest)
        if chosen is None:
            continue
        part, found = _analyse(stretch, chosen, run, device)
        parts.append(part)
        events.append(found)
    if not parts:
        longest = max(stretch.duration for stretch in stretches)
        raise UserError(
            f"the longest strain without a gap is {longest:.2f} s; this "
            "network needs at least "
            f"{plan.shortest_stretch(run.manifest):.2f} s"
        )
    events = events.sort_by("detection_statistic")
    return Analysis(stretches, parts, events[::-1])


def _analyse(
    stretch: Stretch, chosen: Plan, run: Run, device: str
) -> tuple[Part, EventSet]:
    manifest = dataclasses.replace(
        run.manifest,
        psd_length=chosen.psd_length,
        batch_size=chosen.batch_size,
    )
    engine = DirectEngine(run.weights, manifest, device)
    strain = torch.from_numpy(stretch.strain).float()[None]
    raw = engine.outputs(strain)[0][chosen.burn_in : chosen.outputs]
    rate = manifest.inference_sampling_rate
    config = manifest.preprocessing
    steps = np.arange(chosen.burn_in + 1, chosen.burn_in + 1 + len(raw))
    edges = stretch.start + steps / rate - config.fduration / 2
    bad = np.flatnonzero(~np.isfinite(raw))
    if len(bad):
        raise UserError(
            f"the network's output is not finite in {len(bad)} of "
            f"{len(raw)} places, first at GPS {edges[bad[0]]:.3f}: the "
            "strain there is probably not data"
        )
    raise NotImplementedError
