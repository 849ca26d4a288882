"""The sensitive volume of the search."""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import luigi
from conventions.errors import UserError

from aframe import config, targets
from aframe.base import AframeTask
from aframe.parameters import DictParameter, ListParameter, PathParameter
from aframe.targets import FileTarget
from aframe.tasks.export import PipelineParameters
from aframe.tasks.infer import Infer
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


class SensitiveVolume(PipelineParameters, AframeTask):
    """Compute the sensitive volume and draw it."""

    project = "plots"
    reqs: ClassVar = {
        "injections": TestingWaveforms,
        "events": Infer,
    }

    ifos = ListParameter(description="interferometers that were searched")
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
    output_dir = PathParameter(
        default=None,
        description="where the results go; empty: the run's directory",
    )

    def output(self) -> dict[str, FileTarget]:
        """Numbers, report and summary."""
        return targets.sensitive_volume(
            self.output_dir
            or config.paths().directory("results_dir") / "sensitive_volume"
        )

    def run(self) -> None:
        """Compute and draw."""
        from plots.main import sensitive_volume
        from plots.populations import Population

        events = self.input()["events"]
        unshifted = events.get("0lag")
        sensitive_volume(
            events["background"].file,
            events["foreground"].file,
            self.input()["injections"]["rejected"].file,
            unshifted and unshifted.file,
            self.output()["summary"].file.parent,
            prior=self.source_prior,
            prior_arguments=dict(self.prior_args),
            ifos=self.ifos,
            populations=[
                Population(*pair) for pair in mass_pairs(self.mass_combos)
            ],
        )
