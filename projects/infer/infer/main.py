"""Inference on one segment at any number of shifts."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from conventions.progress import Progress, silent

from infer.data import SlideStrain
from infer.engine import Engine
from infer.layout import StreamLayout
from infer.merging import merge
from infer.postprocess import Postprocessor
from infer.segment import SegmentStrain
from infer.settings import SearchSettings
from infer.slides import SlideFiles, SlideSearch

__all__ = ["TOGETHER", "SlideFiles", "infer_segment", "merge"]

# Slides that an engine is given at once.
TOGETHER = 32


def infer_segment(
    engine: Engine,
    *,
    background: Path,
    start: float,
    stop: float,
    slides: Sequence[SlideFiles],
    integration_window_length: float,
    cluster_window_length: float,
    recovery_window: float,
    progress: Progress = silent,
) -> None:
    """Search shifts of one segment for events and for their injections.

    Where a shift has injections, its slide has two streams, background and
    background plus injections; otherwise one. Zero lag is a slide like any
    other, with shifts of zero and no injections.

    The files of a slide are written, each complete or absent, as soon as
    its last output came; that of its livetime says what it was searched
    with. ``TOGETHER`` slides are searched at once, which
    share what is read; memory does not grow with the segment's length, but
    for the events found.

    Args:
        engine: evaluates the network.
        background: the background file.
        start: GPS second where the segment starts.
        stop: GPS second where it stops.
        slides: the shifts, and where what is found goes.
        integration_window_length: of the boxcar, in seconds.
        cluster_window_length: an event is the maximum within half of it on
            each side, in seconds.
        recovery_window: an injection is found by an event at most this far
            from it, in seconds.
        progress: shows the seconds of data analysed.

    Raises:
        UserError: for anything wrong with the files or settings.
        RuntimeError: if the engine ends before its outputs are complete.
    """
    manifest = engine.manifest
    settings = manifest.preprocessing
    rate = manifest.inference_sampling_rate
    with SegmentStrain(
        background, settings.ifos, settings.sample_rate, start, stop
    ) as segment:
        # All slides are looked at before the first is searched.
        total = sum(
            StreamLayout.from_manifest(
                manifest, SlideStrain(segment, slide.shifts).num_samples
            ).num_outputs
            for slide in slides
        )
        postprocessor = Postprocessor(
            psd_length=manifest.psd_length,
            inference_sampling_rate=rate,
            fduration=settings.fduration,
            integration_window_length=integration_window_length,
            cluster_window_length=cluster_window_length,
        )

        search = SearchSettings(
            integration_window_length=integration_window_length,
            cluster_window_length=cluster_window_length,
            recovery_window=recovery_window,
            psd_length=manifest.psd_length,
            inference_sampling_rate=rate,
            batch_size=manifest.batch_size,
            weights_sha256=manifest.weights_sha256,
            engine=engine.name,
        )

        def outputs() -> Iterator[int]:
            for first in range(0, len(slides), TOGETHER):
                with ExitStack() as stack:
                    group = [
                        stack.enter_context(
                            SlideSearch(
                                files,
                                segment,
                                manifest,
                                postprocessor,
                                search,
                            )
                        )
                        for files in slides[first : first + TOGETHER]
                    ]
                    yield from _search(engine, group)

        seconds = _seconds(outputs(), rate)
        shown = progress(
            seconds, int(total / rate), f"inferring {segment.start:.0f}"
        )
        for _ in shown:
            pass


def _search(engine: Engine, group: Sequence[SlideSearch]) -> Iterator[int]:
    """Search a group of slides, yield the numbers of outputs that came."""
    for position, outputs in engine.evaluate([one.strain for one in group]):
        group[position].feed(outputs)
        yield outputs.shape[1]
    missing = [one.files.shifts for one in group if not one.finished]
    if missing:
        raise RuntimeError(
            f"the engine ended before all outputs of the shifts {missing}"
        )


def _seconds(counts: Iterable[int], rate: float) -> Iterator[None]:
    """Yield once for each second of data whose outputs came."""
    outputs = seconds = 0
    for count in counts:
        outputs += count
        while seconds < int(outputs / rate):
            seconds += 1
            yield
