"""Which stretches of time have data."""

import luigi
from conventions.segments import write

from aframe import config, targets
from aframe.base import AframeTask
from aframe.parameters import (
    ChoiceParameter,
    FloatParameter,
    ListParameter,
    OptionalFloatParameter,
    PathParameter,
)
from aframe.targets import FileTarget


class QueryParameters:
    """What is asked for; a fetch passes it on to its query."""

    travels = True

    source = ChoiceParameter(
        default="gwosc",
        choices=("gwosc", "simulated"),
        description="open data (gwosc) or coloured Gaussian noise (simulated)",
    )
    ifos = ListParameter(description="interferometers")
    start = FloatParameter(description="GPS start of the span, s")
    end = FloatParameter(description="GPS end of the span, s")
    flag = luigi.Parameter(
        default="DATA",
        description="data-quality flag without the interferometer; DATA is "
        "all open data",
    )
    min_duration = FloatParameter(
        default=0.0, description="shortest segment that is kept, s"
    )
    max_duration = OptionalFloatParameter(
        default=None,
        description="longer segments are split into files of at most this, "
        "s; empty: never",
    )
    host = luigi.Parameter(
        default="",
        description="address of the open-data server; empty: the public one",
    )
    segments_file = PathParameter(
        default=None,
        description="where the list of segments goes; empty: segments.txt "
        "beside the strain (of the search, when run on its own)",
    )


class Query(QueryParameters, AframeTask):
    """Find the segments in which all interferometers have data."""

    project = "datagen"

    def output(self) -> FileTarget:
        """The segments, in segwizard format."""
        directory = config.paths().directory("test_background")
        return (
            FileTarget(self.segments_file)
            if self.segments_file
            else targets.segments(directory)
        )

    def run(self) -> None:
        """Ask the source and write the list."""
        from datagen import segments

        found = segments.query(
            self.source,
            self.ifos,
            self.start,
            self.end,
            flag=self.flag,
            min_duration=self.min_duration,
            max_duration=self.max_duration,
            host=self.host or None,
        )
        with self.output().writing() as path:
            write(path, found)
