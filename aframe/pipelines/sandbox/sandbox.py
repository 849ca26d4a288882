"""The whole graph: data, training, search, sensitive volume."""

import json
from typing import Any, ClassVar

from aframe import config
from aframe.base import AframeTask
from aframe.targets import FileTarget
from aframe.tasks.export import PipelineParameters
from aframe.tasks.infer import Infer
from aframe.tasks.plots import SensitiveVolume
from aframe.tasks.vetos import Vetos
from aframe.tasks.waveforms import TestingWaveforms

HOURS_PER_YEAR = 8766.0


class SandboxInfer(Infer):
    """The search, as the pipeline configures it."""

    config_sections = ("Infer",)

    def check_events(self) -> str:
        """Compare the settings of the events with the configuration's.

        Returns:
            What evaluated the network.

        Raises:
            UserError: naming every setting that differs, and both values.
        """
        from infer.settings import SearchSettings

        target = self.output()["settings"]
        settings = SearchSettings.read(target.local())
        settings.check(
            str(config.config_file() or "the configuration"),
            target.file,
            integration_window_length=self.integration_window_length,
            cluster_window_length=self.cluster_window_length,
            recovery_window=self.recovery_window,
        )
        return settings.engine


class SandboxSV(SensitiveVolume):
    """The sensitive volume, as the pipeline configures it."""

    config_sections = ("SensitiveVolume",)
    reqs: ClassVar = {
        "injections": TestingWaveforms,
        "events": SandboxInfer,
        "vetos": Vetos,
    }


class Sandbox(PipelineParameters, AframeTask):
    """Run the whole pipeline and say where its results are."""

    reqs: ClassVar = {"volume": SandboxSV}

    _has_run = False
    _found_complete: bool | None = None

    def output(self) -> dict[str, FileTarget]:
        """The results of the last stage."""
        return self.requires()["volume"].output()

    def complete(self) -> bool:
        """Whether it has run in this process: it always reports."""
        if self._found_complete is None:
            self._found_complete = self.requires()["volume"].complete()
        return self._has_run

    def run(self) -> None:
        """Check the settings against those of the results, and report."""
        self._has_run = True
        search = self.requires()["volume"].requires()["events"]
        repository = search.requires()["repository"]
        search.check_manifest(
            repository.requires()["train"].output()["manifest"]
        )
        search.check_repository()
        engine = search.check_events()
        self.requires()["volume"].check_results()
        self.publish_message(self.report(engine), scheduler=False)

    def report(self, engine: str) -> str:
        """Where the results are, and the numbers that judge them.

        Args:
            engine: what evaluated the network in the search.
        """
        output = self.output()
        summary = json.loads(output["summary"].local().read_text())
        lines = ["Results:"]
        lines += [f"  {name}: {t.file}" for name, t in output.items()]
        lines.append(f"  engine: {engine or 'not recorded'}")
        lines += _numbers(summary)
        if self._found_complete:
            lines.append("Nothing to do: all outputs are up to date.")
        return "\n".join(lines)


def _numbers(summary: dict[str, Any]) -> list[str]:
    """Lines about livetime, counts and the recovered fraction."""
    hours = summary["livetime"]["background"] / 3600
    counts = ", ".join(f"{k} {v}" for k, v in summary["counts"].items())
    lines = [f"  background: {hours:.2f} h", f"  counts: {counts}"]
    recovered = summary["recovered_fraction"]
    if recovered["unresolved"]:
        return [*lines, f"  recovered: {recovered['unresolved']}"]
    rows = {row["snr"]: row for row in recovered["bins"]}
    for row in (rows | recovered["summary"]).values():
        if row["injections"]:
            lines.append(
                f"  recovered at SNR {row['snr']}: {row['fraction']:.3f} "
                f"({row['found']} of {row['injections']})"
            )
    rate = recovered["far"] / HOURS_PER_YEAR
    return [*lines, f"  (false alarms per hour: {rate:.3g})"]
