"""Runs the network over stretches of strain and finds events."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from conventions.errors import UserError
from conventions.progress import Progress, silent
from ledger.events import EventSet

from infer.data import ArraySlide
from infer.direct import DirectEngine
from infer.engine import outputs_of
from infer.peaks import cluster, integrate
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
        """First coalescence and last right edge of each part, in GPS."""
        return [(part.times[0], part.right_edges[-1]) for part in self.parts]

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
    window = postprocessor(run, run.manifest.psd_length).window
    parts, found = [], []
    for stretch in progress(stretches, len(stretches), "analysing"):
        chosen = plan.make(stretch.duration, run.manifest, window)
        if chosen is None:
            continue
        part, events = _analyse(stretch, chosen, run, device)
        parts.append(part)
        found.append(events)
    if not parts:
        longest = max((one.duration for one in stretches), default=0.0)
        raise UserError(
            f"the longest strain without a gap is {longest:.2f} s; this "
            "network needs at least "
            f"{plan.shortest_stretch(run.manifest, window):.2f} s"
        )
    joined = EventSet.concatenate(found)
    order = np.argsort(-joined.detection_statistic, kind="stable")
    return Analysis(stretches, parts, joined[order])


def _analyse(
    stretch: Stretch, chosen: Plan, run: Run, device: str
) -> tuple[Part, EventSet]:
    manifest = dataclasses.replace(
        run.manifest,
        psd_length=chosen.psd_length,
        batch_size=chosen.batch_size,
    )
    rate = manifest.inference_sampling_rate
    engine = DirectEngine(run.weights, manifest, device)
    slide = ArraySlide(stretch.strain[None])
    raw = outputs_of(engine, slide)[0, chosen.settling :]
    # From here on, as if the stretch had started when the PSD was settled.
    start = stretch.start + chosen.settling / rate
    post = postprocessor(run, chosen.psd_length)
    indices = np.arange(len(raw))
    edges = post.right_edges(start, indices)
    bad = np.flatnonzero(~np.isfinite(raw))
    if len(bad):
        raise UserError(
            f"the network's output is not finite in {len(bad)} of "
            f"{len(raw)} places, first at GPS {edges[bad[0]]:.3f}: the "
            "strain there is probably not data"
        )
    # A boxcar that is not full yet would be noisier than the background.
    full = post.window - 1
    integrated = integrate(raw, post.window)[full:]
    times = post.times(start, indices[full:])
    peaks = cluster(integrated, post.reach)
    events = EventSet(
        detection_statistic=integrated[peaks],
        detection_time=times[peaks],
        shift=np.zeros((len(peaks), len(stretch.strain))),
        Tb=len(integrated) / rate,
    )
    return Part(stretch, chosen, edges, times, raw, integrated), events


def postprocessor(run: Run, psd_length: float) -> Postprocessor:
    """The run's integration and clustering, after some burn-in.

    Args:
        run: whose settings are used.
        psd_length: the burn-in, in seconds.
    """
    return Postprocessor(
        psd_length=psd_length,
        inference_sampling_rate=run.manifest.inference_sampling_rate,
        fduration=run.manifest.preprocessing.fduration,
        integration_window_length=run.settings.integration_window_length,
        cluster_window_length=run.settings.cluster_window_length,
    )
