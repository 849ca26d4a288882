"""Strain, one file a segment."""

from typing import ClassVar

import law
from conventions.segments import Segment, read
from storage import Location

from aframe import config, targets
from aframe.parameters import (
    DictParameter,
    FloatParameter,
    IntParameter,
    PathParameter,
)
from aframe.targets import FileTarget
from aframe.tasks.segments import Query, QueryParameters
from aframe.workflows import AframeWorkflow


class Fetch(QueryParameters, AframeWorkflow):
    """Fetch or simulate the strain of each segment."""

    project = "datagen"
    reqs: ClassVar = {"segments": Query}
    directory = ""
    exclude_index = True

    sample_rate = FloatParameter(description="sample rate of the files, Hz")
    psds = DictParameter(
        default={},
        description="for simulated data, per interferometer a PSD file or "
        "the name of a curve shipped with bilby",
    )
    glitches = DictParameter(
        default={},
        description="for simulated data, a population of sine-Gaussian "
        "glitches: rate_per_hour and ranges of snr, frequency (Hz) and "
        "quality; empty: none",
    )
    seed = IntParameter(default=0, description="seed of simulated data")
    data_dir = PathParameter(
        default=None,
        description="where the files go; empty: the run's directory",
    )

    @property
    def data_directory(self) -> Location:
        """Where the files go."""
        return self.data_dir or config.paths().directory(self.directory)

    def segments_task(self) -> law.Task:
        """The query."""
        file = self.segments_file or targets.segments(self.data_directory).file
        return self.reqs["segments"].req(self, segments_file=file)

    def workflow_requires(self) -> dict[str, law.Task]:
        """The query."""
        return {"segments": self.segments_task()}

    def branch_plan(self) -> dict[int, Segment]:
        """One segment a branch."""
        path = self.segments_task().output().local()
        return dict(enumerate(read(path)))

    def branch_requires(self) -> dict[str, law.Task]:
        """The query."""
        return {"segments": self.segments_task()}

    def branch_output(self) -> FileTarget:
        """Strain of the segment."""
        return targets.background(self.data_directory, *self.branch_data)

    def run(self) -> None:
        """Fetch or simulate one segment."""
        from datagen import background
        from datagen.glitches import GlitchConfig

        start, stop = self.branch_data
        glitches = (
            GlitchConfig.from_mapping(self.glitches) if self.glitches else None
        )
        with self.output().writing() as output:
            background.fetch(
                output,
                source=self.source,
                ifos=self.ifos,
                start=start,
                duration=stop - start,
                sample_rate=self.sample_rate,
                psds=dict(self.psds),
                seed=self.seed,
                glitches=glitches,
                host=self.host or None,
            )


class FetchTrain(Fetch):
    """Fetch the background that the network is trained on."""

    directory = "train_background"


class FetchTest(Fetch):
    """Fetch the background that is searched."""

    directory = "test_background"
