"""The search: events of background, injections and unshifted data."""

from pathlib import Path
from typing import Any, ClassVar

import law
import luigi
from conventions.errors import UserError
from conventions.segments import read

from aframe import config, targets
from aframe.base import AframeTask
from aframe.parameters import (
    BoolParameter,
    FloatParameter,
    OptionalIntParameter,
    PathParameter,
)
from aframe.targets import FileTarget
from aframe.tasks.export import (
    ExportLocal,
    PipelineParameters,
    ServingParameters,
)
from aframe.tasks.fetch import FetchTest
from aframe.tasks.train import PreprocessingParameters
from aframe.tasks.waveforms import TestingWaveforms, TimeslideParameters
from aframe.timeslides import Slide
from aframe.workflows import AframeWorkflow


class InferParameters(
    TimeslideParameters,
    ServingParameters,
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
    output_dir = PathParameter(
        default=None,
        description="where the events go; empty: the run's directory",
    )

    @property
    def directory(self) -> Path:
        """Where the events go."""
        return self.output_dir or (
            config.paths().directory("results_dir") / "infer"
        )


class InferSegments(InferParameters, AframeWorkflow):
    """Search each segment and shift, through a server that is running.

    ``DeployInferLocal`` starts one.
    """

    project = "infer"
    reqs: ClassVar = {
        "repository": ExportLocal,
        "background": FetchTest,
        "injections": TestingWaveforms,
    }
    config_sections = ("Infer",)

    address = luigi.Parameter(
        default="",
        significant=False,
        description="host and port of the server's gRPC",
    )

    def segments_task(self) -> law.Task:
        """The query of the background."""
        return self.reqs["background"].req(self).segments_task()

    def branch_plan(self) -> dict[int, Slide]:
        """One segment and shift a branch."""
        slides = self.timeslides
        if len(self.shifts) != len(self.ifos):
            raise UserError(
                f"shifts: {list(self.shifts)} must have one multiple for "
                f"each of ifos {list(self.ifos)}"
            )
        pairs = read(self.segments_task().output().file)
        count = slides.shifts_required(pairs, self.Tb)
        plan = slides.plan(pairs, count, zero_lag=self.zero_lag)
        return dict(enumerate(plan))

    def branch_requires(self) -> dict[str, law.Task]:
        """Repository, the segment's strain, and the injections."""
        branch = self.branch_data.index
        return {
            "repository": self.reqs["repository"].req(self),
            "background": self.reqs["background"].req(self, branch=branch),
            "injections": self.reqs["injections"].req(self),
        }

    def branch_output(self) -> dict[str, FileTarget]:
        """Events and, unless unshifted, recovered injections."""
        slide = self.branch_data
        directory = targets.branch(
            self.directory, slide.start, slide.stop, slide.shifts
        )
        names = ["background"] + ["foreground"] * (not slide.is_zero_lag)
        return {name: FileTarget(directory / f"{name}.hdf5") for name in names}

    def run(self) -> None:
        """Search one segment at one shift.

        Raises:
            UserError: if no server is given, or the repository does not
                agree with the configuration.
        """
        from conventions.progress import plain
        from infer.main import infer_segment

        if not self.address:
            raise UserError(
                "InferSegments needs --address HOST:PORT of a running "
                "server; DeployInferLocal starts one for itself"
            )
        inputs, output, slide = self.input(), self.output(), self.branch_data
        manifest = self.check_manifest(
            inputs["repository"]["manifest"], **self.serving_settings()
        )
        injected = "foreground" in output
        infer_segment(
            background=inputs["background"].file,
            injections=(
                inputs["injections"]["waveforms"].file if injected else None
            ),
            start=slide.start,
            stop=slide.stop,
            shifts=slide.shifts,
            address=self.address,
            manifest=manifest,
            integration_window_length=self.integration_window_length,
            cluster_window_length=self.cluster_window_length,
            recovery_window=self.recovery_window,
            background_output=output["background"].file,
            foreground_output=output["foreground"].file if injected else None,
            progress=plain,
        )


class DeployInferLocal(InferParameters, AframeTask):
    """Start a server on this machine and search all segments with it."""

    reqs: ClassVar = InferSegments.reqs
    config_sections = ("Infer",)

    triton_image = PathParameter(
        default=None,
        description="container image with the server; empty: the server that "
        "scripts/install-triton installed",
    )
    grpc_port = OptionalIntParameter(
        default=None, description="port of the server; empty: any free one"
    )

    def segments(self, address: str = "") -> InferSegments:
        """The search of all segments, with the server at an address."""
        return InferSegments.req(self, address=address)

    def output(self) -> Any:
        """What the search of all segments makes."""
        return self.segments().output()

    def complete(self) -> bool:
        """Whether each segment and shift is."""
        return self.segments().complete()

    def run(self) -> None:
        """Serve the repository for as long as the search takes.

        Raises:
            UserError: if a segment could not be searched.
        """
        from conventions.progress import plain
        from infer.server import serve

        manifest = self.input()["repository"]["manifest"]
        self.check_manifest(manifest, **self.serving_settings())
        num_gpus = len(self.gpus.split(",")) if self.gpus else 1
        with serve(
            manifest.file.parent,
            log_file=self.directory.parent / "server.log",
            image=self.triton_image,
            triton_root=config.triton_root(),
            gpus=self.gpus,
            grpc_port=self.grpc_port,
            progress=plain,
        ) as address:
            result = luigi.build(
                [self.segments(str(address))],
                workers=self.streams_per_gpu * num_gpus,
                local_scheduler=True,
                detailed_summary=True,
            )
        if result.status not in (
            luigi.LuigiStatusCode.SUCCESS,
            luigi.LuigiStatusCode.SUCCESS_WITH_RETRY,
        ):
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
        return targets.events(self.directory, zero_lag=self.zero_lag)

    def run(self) -> None:
        """Join the tables and note how they were made."""
        from infer.main import merge
        from infer.settings import SearchSettings

        inputs = self.input()
        manifest = self.check_manifest(
            inputs["repository"]["manifest"], **self.serving_settings()
        )
        branches = inputs["segments"]["collection"].targets.values()
        slides = [branch for branch in branches if "foreground" in branch]
        unshifted = [branch for branch in branches if branch not in slides]
        merge(
            [branch["background"].file for branch in slides],
            [branch["foreground"].file for branch in slides],
            [branch["background"].file for branch in unshifted],
            self.directory,
            SearchSettings(
                integration_window_length=self.integration_window_length,
                cluster_window_length=self.cluster_window_length,
                recovery_window=self.recovery_window,
                weights_sha256=manifest.weights_sha256,
                **self.serving_settings(),
            ),
            injections=inputs["injections"]["waveforms"].file,
        )
