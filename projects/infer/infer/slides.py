"""The search of one slide: outputs in, files out."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from conventions.errors import UserError
from conventions.files import complete
from ledger.events import RecoveredInjectionSet
from numpy.typing import NDArray
from preprocessing.manifest import Manifest

from infer import timeseries
from infer.data import SlideStrain
from infer.gaps import masked
from infer.injections import SlideInjections
from infer.layout import StreamLayout
from infer.postprocess import Postprocessor
from infer.segment import SegmentStrain
from infer.settings import SearchSettings


@dataclass(frozen=True, kw_only=True)
class SlideFiles:
    """One shift of a segment, and where what is found in it goes.

    Attributes:
        shifts: delay of each channel, in seconds.
        background: file of the background's events.
        livetime: file of the stretches that were analysed.
        injections: the injection file; None for none.
        foreground: file of the recovered injections; needed with
            injections.
        timeseries: file of the network's outputs; None to keep none.

    Raises:
        UserError: on construction, if only one of injections and foreground
            is given.
    """

    shifts: Sequence[float]
    background: Path
    livetime: Path
    injections: Path | None = None
    foreground: Path | None = None
    timeseries: Path | None = None

    def __post_init__(self) -> None:
        if (self.injections is None) != (self.foreground is None):
            raise UserError(
                "injections and foreground must both be given, or neither"
            )


class SlideSearch:
    """Takes the outputs of one slide, and writes its files at the end.

    Args:
        files: the slide.
        segment: the strain of the segment.
        manifest: of the exported network.
        postprocessor: finds and dates events.
        search: what the files are to say that they were found with.

    Attributes:
        strain: of the slide, for an engine.

    Raises:
        UserError: for anything wrong with the shifts or the injections.
    """

    def __init__(
        self,
        files: SlideFiles,
        segment: SegmentStrain,
        manifest: Manifest,
        postprocessor: Postprocessor,
        search: SearchSettings,
    ) -> None:
        self.files = files
        self.start = segment.start
        self.postprocessor = postprocessor
        self.search = search
        self._done = 0
        self._stack = ExitStack()
        self._injections: SlideInjections | None = None
        bare = SlideStrain(segment, files.shifts)
        self.layout = StreamLayout.from_manifest(manifest, bare.num_samples)
        if files.injections is not None:
            settings = manifest.preprocessing
            self._injections = self._stack.enter_context(
                SlideInjections(
                    files.injections,
                    settings,
                    segment.start,
                    segment.start + bare.num_samples / settings.sample_rate,
                    files.shifts,
                )
            )
        self.strain = SlideStrain(segment, files.shifts, self._injections)
        self._finders = [
            postprocessor.finder() for _ in range(self.strain.streams)
        ]

    def __enter__(self) -> Self:
        if self.files.timeseries is not None:
            first = np.zeros(1, dtype=np.int64)
            t0 = self.postprocessor.right_edges(self.start, first)[0]
            self._series = self._stack.enter_context(
                timeseries.writing(
                    self.files.timeseries,
                    streams=self.strain.streams,
                    injected=self._injections is not None,
                    t0=float(t0),
                    dx=1 / self.postprocessor.inference_sampling_rate,
                    shifts=self.files.shifts,
                )
            )
        return self

    def __exit__(self, *args: object) -> None:
        self._stack.__exit__(*args)

    @property
    def finished(self) -> bool:
        """Whether all outputs came and the files are complete."""
        return self._done == self.layout.num_outputs

    def feed(self, outputs: NDArray[np.float32]) -> None:
        """Take the outputs that follow; the last make the files.

        Args:
            outputs: of shape ``(S, n)``.

        Raises:
            UserError: if an output is not finite, though no sample that it
                depends on was missing.
        """
        count = outputs.shape[1]
        gaps = masked(self.strain, self.layout, self._done, count)
        bad = ~np.isfinite(outputs) & ~gaps
        if bad.any():
            raise UserError(
                f"{int(bad.sum())} of {outputs.size} network outputs of the "
                f"segment at {self.start:.9g} with shifts "
                f"{list(self.files.shifts)} are not finite"
            )
        if gaps.any():
            outputs = np.where(gaps, np.float32(np.nan), outputs)
        for finder, stream in zip(self._finders, outputs, strict=True):
            finder.feed(stream)
        if self.files.timeseries is not None:
            self._series.append(outputs)
        self._done += count
        if self.finished:
            self._write()

    def _write(self) -> None:
        self._stack.close()
        files, post = self.files, self.postprocessor
        where = self.start, files.shifts
        found = [finder.finish() for finder in self._finders]
        self._finders = []
        with complete(files.livetime) as temporary:
            post.livetime(found[0], *where).write(temporary)
            self.search.note(temporary)
        if self._injections is not None and files.foreground is not None:
            # Without signals, the one stream stands for both.
            RecoveredInjectionSet.recover(
                post.events(found[-1], *where),
                self._injections.parameters,
                self.search.recovery_window,
            ).write(files.foreground)
        post.events(found[0], *where).write(files.background)
