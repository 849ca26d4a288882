"""Times that are taken out of a search."""

import json
from pathlib import Path
from typing import Any, ClassVar

import law
import luigi
from conventions.errors import UserError
from conventions.segments import read
from conventions.vetos import CATALOG, GATES, SEGMENTS, check_category

from aframe import config, targets
from aframe.base import AframeTask
from aframe.parameters import (
    FloatParameter,
    ListParameter,
    LocalPathParameter,
    PathParameter,
    PathsParameter,
)
from aframe.targets import FileTarget
from aframe.tasks.fetch import FetchTest

PER_IFO = {GATES: "gates", SEGMENTS: "veto_segments"}
"""Categories with a file for each interferometer, and their parameters."""

_OF_FLAGS = ("veto_definer_file", "flags_file", "segment_host")
_SETTINGS = {
    GATES: ("gates", "gate_padding"),
    SEGMENTS: ("segments",),
    CATALOG: ("catalog", "catalog_window"),
}


class VetoParameters:
    """Which times are vetoed; the sensitive volume passes it on."""

    travels = True

    ifos = ListParameter(description="interferometers that were searched")
    vetos = ListParameter(
        default=(),
        description="categories of vetoed times: CAT1, CAT2, ... of the veto "
        "definer, GATES, SEGMENTS, CATALOG; empty: none",
    )
    veto_definer_file = LocalPathParameter(
        default=None,
        description="veto-definer file (LIGO_LW XML); for CAT1, CAT2, ...",
    )
    flags_file = LocalPathParameter(
        default=None,
        description="segments of the definer's flags, as gwpy writes them "
        "(HDF5 or LIGO_LW XML); empty: ask the segment database",
    )
    segment_host = luigi.Parameter(
        default="",
        description="address of the segment database; empty: the public one",
    )
    gates = PathsParameter(
        default={},
        description="per interferometer a file of gates: centre, half width "
        "and taper in s, or segments in segwizard format; for GATES",
    )
    gate_padding = FloatParameter(
        default=0.375, description="added to a gate on each side, s"
    )
    veto_segments = PathsParameter(
        default={},
        description="per interferometer a file of vetoed segments in "
        "segwizard format; for SEGMENTS",
    )
    catalog = LocalPathParameter(
        default=None,
        description="table of known events with their GPS times in a column "
        "gps, gps_time or time; for CATALOG",
    )
    catalog_window = FloatParameter(
        default=1.0,
        description="vetoed on each side of a known event, s",
    )

    def veto_sources(self) -> dict[str, Any]:
        """Arguments of ``datagen.vetos.VetoSources``."""
        return {
            "veto_definer_file": self.veto_definer_file,
            "flags_file": self.flags_file,
            "segment_host": self.segment_host or None,
            "gates": {k: Path(v) for k, v in self.gates.items()},
            "gate_padding": self.gate_padding,
            "segments": {k: Path(v) for k, v in self.veto_segments.items()},
            "catalog": self.catalog,
            "catalog_window": self.catalog_window,
        }

    def veto_settings(self) -> dict[str, Any]:
        """What a file of vetoed times notes of how it was made."""
        arguments = {"vetos": list(self.vetos), "ifos": list(self.ifos)}
        text = json.dumps(arguments | self.veto_sources(), default=str)
        return json.loads(text)

    def effective_settings(self) -> set[str]:
        """Which of the settings the categories that are asked for depend on.

        The others do not change vetoed times.
        """
        names = {"vetos", "ifos"}
        for category in self.vetos:
            names.update(_SETTINGS.get(category, _OF_FLAGS))
        return names

    def check_vetos(self) -> None:
        """Look whether each category has its files, before any work.

        Raises:
            UserError: naming the category, and the parameter or file.
        """
        for name in self.vetos:
            for parameter, path in self._files_of(str(name)).items():
                if path is None:
                    raise UserError(
                        f"vetos: {name} needs {parameter}, which is not set"
                    )
                if not path.is_file():
                    raise UserError(f"{parameter}: there is no file {path}")

    def _files_of(self, category: str) -> dict[str, Path | None]:
        """Files that a category is made from, by parameter."""
        check_category(category)
        if category == CATALOG:
            return {"catalog": self.catalog}
        if category in PER_IFO:
            parameter = PER_IFO[category]
            given = getattr(self, parameter)
            return {
                f"{parameter} of {ifo}": (
                    Path(given[ifo]) if ifo in given else None
                )
                for ifo in self.ifos
            }
        files = {"veto_definer_file": self.veto_definer_file}
        if self.flags_file:
            files["flags_file"] = self.flags_file
        return files

    def sandbox_directories(self) -> list[Path]:
        """Directories of the host that a container needs."""
        listed = [*self.gates.values(), *self.veto_segments.values()]
        places = {Path(path).parent for path in listed}
        return [
            *super().sandbox_directories(),
            *(place for place in sorted(places) if place.is_dir()),
        ]


class Vetos(VetoParameters, AframeTask):
    """Collect the vetoed times of a search in one file."""

    project = "datagen"
    reqs: ClassVar = {"background": FetchTest}
    config_sections = ("SensitiveVolume",)
    # What is wrong with its files is to be known before the long tasks.
    priority = 10

    vetos_file = PathParameter(
        default=None,
        description="where the vetoed times go; empty: the run's directory",
    )

    def requires(self) -> dict[str, law.Task]:
        """The segments that are searched."""
        self.check_vetos()
        fetch = self.reqs["background"].req(self)
        return {"segments": fetch.segments_task()}

    def output(self) -> FileTarget:
        """Vetoed times by category and interferometer."""
        if self.vetos_file:
            return FileTarget(self.vetos_file)
        return targets.vetos(config.paths().directory("results_dir"))

    def input_files(self) -> list[Path]:
        """What the times are read from; a changed file makes them anew."""
        every = [self._files_of(str(name)) for name in self.vetos]
        return [path for files in every for path in files.values() if path]

    def run(self) -> None:
        """Read files, ask the segment database, and write the times."""
        from datagen.vetos import VetoSources, vetos

        with self.output().writing() as path:
            vetos(
                path,
                self.vetos,
                self.ifos,
                read(self.input()["segments"].local()),
                VetoSources(**self.veto_sources()),
            )
