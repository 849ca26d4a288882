"""The search: events of background, injections and unshifted data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import law
from conventions.errors import UserError
from conventions.segments import read
from storage import Location, is_remote

from aframe import config, files, freshness, targets, workers
from aframe.base import AframeTask
from aframe.parameters import (
    BoolParameter,
    FloatParameter,
    IntParameter,
    LocalPathParameter,
    PathParameter,
)
from aframe.targets import FileTarget
from aframe.tasks.engine import EngineParameters, ServerParameters
from aframe.tasks.export import ExportLocal, PipelineParameters
from aframe.tasks.fetch import FetchTest
from aframe.tasks.train import PreprocessingParameters
from aframe.tasks.waveforms import TestingWaveforms, TimeslideParameters
from aframe.timeslides import Slide, grouped
from aframe.workflows import AframeWorkflow


class InferParameters(
    TimeslideParameters,
    EngineParameters,
    PreprocessingParameters,
    PipelineParameters,
):
    """How a search is done."""

    travels = True

    integration_window_length = FloatParameter(
        default=1.0, description="outputs are averaged over this, s"
    )
    cluster_window_length = FloatParameter(
        default=8.0,
        description="an event is the loudest within half of this to each "
        "side, s",
    )
    recovery_window = FloatParameter(
        default=2.0,
        description="an event finds an injection at most this far from it, s",
    )
    zero_lag = BoolParameter(
        default=True, description="whether to search the unshifted data too"
    )
    return_timeseries = BoolParameter(
        default=False,
        description="whether to keep the outputs of the network, beside the "
        "events",
    )
    slides_per_branch = IntParameter(
        default=32,
        description="shifts of a segment that a branch of InferSegments "
        "searches, from one reading of the strain",
    )
    output_dir = PathParameter(
        default=None,
        description="where the events go; empty: the run's directory",
    )

    @property
    def directory(self) -> Location:
        """Where the events go.

        Raises:
            UserError: if it is in a store and the network's outputs are to
                be kept, whose files refer to each other.
        """
        directory = self.output_dir or (
            config.paths().directory("results_dir") / "infer"
        )
        if self.return_timeseries and is_remote(directory):
            raise UserError(
                f"return_timeseries: the index of the network's outputs "
                f"refers to their files, which {directory} cannot hold; let "
                "output_dir be a directory of this machine"
            )
        return directory

    def check_repository(self) -> Any:
        """Compare the model repository with the settings.

        Returns:
            Its manifest.

        Raises:
            UserError: naming every setting that differs, and both values.
        """
        repository = self.requires()["repository"]
        manifest = self.check_manifest(
            repository.output()["manifest"], **self.serving_settings()
        )
        repository.check_platform(manifest)
        return manifest


class InferSegments(InferParameters, AframeWorkflow):
    """Search each segment, some of its shifts a branch.

    With engine = triton, through a server that is running;
    ``DeployInferLocal`` starts one.
    """

    project = "infer"
    reqs: ClassVar = {
        "repository": ExportLocal,
        "background": FetchTest,
        "injections": TestingWaveforms,
    }
    config_sections = ("Infer",)

    server_log = LocalPathParameter(
        default=None,
        significant=False,
        description="log of the server, for messages; empty: not known",
    )

    def segments_task(self) -> law.Task:
        """The query of the background."""
        return self.reqs["background"].req(self).segments_task()

    def branch_plan(self) -> dict[int, tuple[Slide, ...]]:
        """One segment and some of its shifts a branch."""
        slides = self.timeslides
        if len(self.shifts) != len(self.ifos):
            raise UserError(
                f"shifts: {list(self.shifts)} must have one multiple for "
                f"each of ifos {list(self.ifos)}"
            )
        pairs = read(self.segments_task().output().local())
        count = slides.shifts_required(pairs, self.Tb)
        plan = slides.plan(pairs, count, zero_lag=self.zero_lag)
        return dict(enumerate(grouped(plan, self.slides_per_branch)))

    def branch_requires(self) -> dict[str, law.Task]:
        """Network, repository, the segment's strain, the injections."""
        branch = self.branch_data[0].index
        return {
            "train": self.train_task.req(self),
            "repository": self.reqs["repository"].req(self),
            "background": self.reqs["background"].req(self, branch=branch),
            "injections": self.reqs["injections"].req(self),
        }

    def branch_output(self) -> list[dict[str, FileTarget]]:
        """Of each shift, what was found and the time that was searched."""
        return [
            targets.slide(
                targets.branch(
                    self.directory, slide.start, slide.stop, slide.shifts
                ),
                injected=not slide.is_zero_lag,
                timeseries=self.return_timeseries,
            )
            for slide in self.branch_data
        ]

    def missing(self) -> list[tuple[Slide, dict[str, FileTarget]]]:
        """Shifts whose files are missing or stale, and their files."""
        upstream = self.requires().values()
        slides = zip(self.branch_data, self.output(), strict=True)
        return [
            (slide, group)
            for slide, group in slides
            if not freshness.is_made_after(group, upstream)
        ]

    def run(self) -> None:
        """Search one segment at the shifts that are missing.

        Raises:
            UserError: if no server is given, or the repository does not
                agree with the configuration.
        """
        from conventions.progress import plain
        from infer.main import SlideFiles, infer_segment

        self.check_engine()
        if self.engine == "triton" and not self.address:
            raise UserError(
                "InferSegments needs --address HOST:PORT of a running "
                "server, or --engine direct; DeployInferLocal starts a "
                "server for itself"
            )
        inputs = self.input()
        manifest = self.check_repository()
        missing = self.missing()
        injections = inputs["injections"]["waveforms"].local()
        weights = inputs["train"]["weights"].local()
        background = inputs["background"].local()
        with (
            self.running_engine(weights, manifest, self.server_log) as engine,
            files.writing_groups([group for _, group in missing]) as paths,
        ):
            infer_segment(
                engine,
                background=background,
                start=self.branch_data[0].start,
                stop=self.branch_data[0].stop,
                slides=[
                    SlideFiles(
                        shifts=slide.shifts,
                        injections=injections if "foreground" in to else None,
                        **to,
                    )
                    for (slide, _), to in zip(missing, paths, strict=True)
                ],
                integration_window_length=self.integration_window_length,
                cluster_window_length=self.cluster_window_length,
                recovery_window=self.recovery_window,
                progress=plain,
            )


class DeployInferLocal(ServerParameters, InferParameters, AframeTask):
    """Search all segments on this machine.

    With engine = triton, through one server, which is started and stopped
    here unless the address of one that is running is given.
    """

    reqs: ClassVar = InferSegments.reqs
    config_sections = ("Infer",)

    def segments(self, address: str = "") -> InferSegments:
        """The search of all segments, with the server at an address."""
        log = None if self.address else self.server_log
        return InferSegments.req(self, address=address, server_log=log)

    def output(self) -> Any:
        """What the search of all segments makes."""
        return self.segments().output()

    def complete(self) -> bool:
        """Whether each segment and shift is."""
        return self.segments().complete()

    def run(self) -> None:
        """Search with the engine that is asked for.

        Raises:
            UserError: if the server cannot be used, or a segment could not
                be searched.
        """
        self.check_engine()
        manifest = self.check_repository()
        if self.engine == "direct":
            self.search()
            return
        where = self.segments().workflow
        if where != "local" and not self.address:
            raise UserError(
                f"workflow: the jobs of {where} do not reach a server that "
                "is started here; give engine = direct, or the address of a "
                "server"
            )
        with self.server(manifest) as address:
            self.search(address)

    def search(self, address: str = "") -> None:
        """Search all segments, as many at once as there are workers.

        Args:
            address: of the server, if one is asked.

        Raises:
            UserError: if a segment could not be searched.
        """
        if not workers.run(self.segments(address), self.num_workers):
            raise UserError(
                "not every segment could be searched: messages are above; "
                "what is complete is kept"
            )


class Infer(InferParameters, AframeTask):
    """Join the events of all segments and shifts."""

    project = "infer"
    reqs: ClassVar = {
        "segments": DeployInferLocal,
        "repository": ExportLocal,
        "injections": TestingWaveforms,
    }

    def output(self) -> dict[str, FileTarget]:
        """Background, recovered injections and unshifted events."""
        return targets.events(
            self.directory,
            zero_lag=self.zero_lag,
            timeseries=self.return_timeseries,
        )

    def run(self) -> None:
        """Join the tables and note how they were made.

        Raises:
            UserError: if the injections are not those of the segments and
                shifts that were searched, or a table is not of these
                settings.
        """
        from infer.main import merge
        from infer.settings import SearchSettings

        inputs = self.input()
        manifest = self.check_repository()
        branches = inputs["segments"]["collection"].targets.values()
        slides = [slide for branch in branches for slide in branch]
        injected = [slide for slide in slides if "foreground" in slide]
        unshifted = [slide for slide in slides if "foreground" not in slide]
        foregrounds = _locals(injected, "foreground")
        injections = inputs["injections"]["waveforms"]
        self.check_counts(injections, foregrounds)
        settings = SearchSettings(
            integration_window_length=self.integration_window_length,
            cluster_window_length=self.cluster_window_length,
            recovery_window=self.recovery_window,
            weights_sha256=manifest.weights_sha256,
            engine=self.engine_name(manifest),
            **self.serving_settings(),
        )
        with files.writing_directory(self.output()) as directory:
            merge(
                backgrounds=_locals(injected, "background"),
                foregrounds=foregrounds,
                zero_lags=_locals(unshifted, "background"),
                livetimes=_locals(slides, "livetime"),
                timeseries=_locals(slides, "timeseries"),
                output_dir=directory,
                settings=settings,
                injections=injections.local(),
            )

    def check_counts(
        self, injections: FileTarget, foregrounds: list[Path]
    ) -> None:
        """Check that every injection was searched for, and no other.

        Args:
            injections: all that were made.
            foregrounds: recovered and missed ones of each slide.

        Raises:
            UserError: naming both numbers, if they differ.
        """
        from ledger import storage

        def count(path: Path) -> int:
            with storage.opened(path) as file:
                return storage.read_length(file)

        made = count(injections.local())
        searched = sum(map(count, foregrounds))
        if made != searched:
            raise UserError(
                f"{injections.file} holds {made} injections, but the segments "
                f"and shifts that give Tb = {self.Tb:g} s were searched for "
                f"{searched}: the file was made for another Tb or other "
                "segments. Take the setting back, or remove the file to join "
                "the injections anew"
            )


def _locals(slides: Sequence[dict[str, FileTarget]], name: str) -> list[Path]:
    return files.locals_of(slide[name] for slide in slides if name in slide)
