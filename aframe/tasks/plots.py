"""The sensitive volume of the search."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import law
import luigi
from conventions.errors import UserError
from storage import Location

from aframe import config, files, targets
from aframe.base import AframeTask
from aframe.parameters import (
    DictParameter,
    FloatParameter,
    ListParameter,
    PathParameter,
)
from aframe.targets import FileTarget
from aframe.tasks.export import PipelineParameters
from aframe.tasks.infer import Infer
from aframe.tasks.vetos import VetoParameters, Vetos
from aframe.tasks.waveforms import TestingWaveforms


def mass_pairs(mass_combos: Sequence[Any]) -> list[tuple[float, float]]:
    """Check that each target population has two masses.

    Args:
        mass_combos: pairs of source masses, solar masses.

    Returns:
        The pairs.

    Raises:
        UserError: if there is none, or one is not a pair of numbers.
    """
    pairs = [
        tuple(pair)
        for pair in mass_combos
        if isinstance(pair, list | tuple)
        and len(pair) == 2
        and all(type(mass) in (int, float) for mass in pair)
    ]
    if not pairs or len(pairs) < len(mass_combos):
        shown = json.dumps(mass_combos, default=dict)
        raise UserError(
            f"mass_combos: {shown} is not a list of pairs of masses, such "
            "as [[35, 35], [35, 20]]"
        )
    return pairs


class SensitiveVolume(VetoParameters, PipelineParameters, AframeTask):
    """Compute the sensitive volume and draw it."""

    project = "plots"
    reqs: ClassVar = {
        "injections": TestingWaveforms,
        "events": Infer,
        "vetos": Vetos,
    }

    source_prior = luigi.Parameter(
        description="dotted name of the function that made the prior of the "
        "injections"
    )
    prior_args = DictParameter(
        default={}, description="keyword arguments of that function"
    )
    mass_combos = ListParameter(
        default=((35, 35), (35, 20), (20, 20), (20, 10)),
        description="source masses of the target populations, solar masses",
    )
    astro_event_rate = FloatParameter(
        default=28.0,
        description="mergers per Gpc^3 and year of a population like the "
        "injections, which p_astro assumes; the default is the geometric "
        "mean of GWTC-3's interval for binary black holes, 17.9 to 44",
    )
    output_dir = PathParameter(
        default=None,
        description="where the results go; empty: the run's directory",
    )

    def requires(self) -> dict[str, law.Task]:
        """The search and its injections; vetoed times, if any are asked.

        Raises:
            UserError: if a category of vetoes has no files, or the rate of
                mergers is negative.
        """
        self.check_vetos()
        if not 0 <= self.astro_event_rate < math.inf:
            raise UserError(
                f"astro_event_rate: {self.astro_event_rate} is not a rate "
                "per Gpc^3 and year, which is 0 or more"
            )
        return {
            name: task.req(self)
            for name, task in self.reqs.items()
            if name != "vetos" or self.vetos
        }

    def output(self) -> dict[str, FileTarget]:
        """Numbers, report and summary."""
        return targets.sensitive_volume(
            self.output_dir
            or config.paths().directory("results_dir") / "sensitive_volume"
        )

    def run(self) -> None:
        """Compute and draw."""
        from ledger.veto_set import VetoSet
        from plots.main import sensitive_volume
        from plots.populations import Population

        inputs = self.input()
        events = inputs["events"]
        unshifted = events.get("0lag")
        if self.vetos:
            made = VetoSet.read(inputs["vetos"].local())
            self._compare_vetos(made.settings, inputs["vetos"].file)
        with files.writing_directory(self.output()) as directory:
            sensitive_volume(
                events["background"].local(),
                events["foreground"].local(),
                inputs["injections"]["rejected"].local(),
                unshifted and unshifted.local(),
                directory,
                prior=self.source_prior,
                prior_arguments=dict(self.prior_args),
                ifos=self.ifos,
                populations=[
                    Population(*pair) for pair in mass_pairs(self.mass_combos)
                ],
                astro_event_rate=self.astro_event_rate,
                vetos=self.vetos,
                veto_file=inputs["vetos"].local() if self.vetos else None,
                livetime=events["livetime"].local(),
            )

    def check_results(self) -> None:
        """Compare the settings of the results with the configuration's.

        Raises:
            UserError: naming every setting that differs, and both values.
        """
        target = self.output()["summary"]
        path = target.file
        summary = json.loads(target.local().read_text())
        vetos = summary.get("vetos")
        self._compare_vetos(vetos and vetos["settings"], path)
        prior = summary.get("prior", {})
        populations = summary.get("populations", {}).values()
        made = {
            "astro_event_rate": summary.get("astro_event_rate"),
            "source_prior": prior.get("name"),
            "prior_args": prior.get("arguments"),
            "mass_combos": [row.get("masses") for row in populations],
        }
        asked = {
            "astro_event_rate": self.astro_event_rate,
            "source_prior": self.source_prior,
            "prior_args": json.loads(
                json.dumps(self.prior_args, default=dict)
            ),
            "mass_combos": [
                list(pair) for pair in mass_pairs(self.mass_combos)
            ],
        }
        differing = [
            f"{name} = {json.dumps(made[name])} in {path}, "
            f"{json.dumps(value)} in the configuration"
            for name, value in asked.items()
            if made[name] != value
        ]
        if differing:
            raise UserError(
                f"{'; '.join(differing)}. Remove {path} and run again"
            )

    def _compare_vetos(
        self, made: Mapping[str, Any] | None, path: Location
    ) -> None:
        made = made or {"vetos": []}
        asked = self.veto_settings() if self.vetos else {"vetos": []}
        differing = [
            f"{name} = {json.dumps(made.get(name))} in {path}, "
            f"{json.dumps(asked.get(name))} in the configuration"
            for name in made | asked
            if name in self.effective_settings()
            and made.get(name) != asked.get(name)
        ]
        if differing:
            needed = self.requires().get("vetos")
            old = needed.output().file if needed else path
            raise UserError(
                f"vetoes differ: {'; '.join(differing)}. Remove {old} and "
                "run again"
            )
