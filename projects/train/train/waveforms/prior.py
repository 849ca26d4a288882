"""Random parameters of binaries."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from conventions.errors import UserError
from torch import Tensor
from torch.distributions import Distribution

from train.waveforms.parameters import Parameters

MOST_DRAWS = 1000
"""Draws for one kept binary, beyond which a prior is hopeless."""


class Prior:
    """Independent distributions, conversions and constraints.

    Binaries that a constraint rejects are drawn again, as many as were
    rejected and with all their parameters, until none is.

    Args:
        distributions: of each parameter, by name; what ``torch`` or
            ``ml4gw.distributions`` have.
        conversions: functions of all parameters that return further ones,
            applied in this order.
        constraints: functions of all parameters that tell which binaries to
            keep.

    Raises:
        UserError: if there is no distribution.
    """

    def __init__(
        self,
        distributions: dict[str, Distribution],
        # with what they take and return, the command line would ask for
        # what makes such functions
        conversions: Sequence[Callable] = (),
        constraints: Sequence[Callable] = (),
    ) -> None:
        if not distributions:
            raise UserError("prior: distributions must not be empty")
        self.distributions = dict(distributions)
        self.conversions = tuple(conversions)
        self.constraints = tuple(constraints)

    def sample(self, count: int, rng: np.random.Generator) -> Parameters:
        """Draw binaries.

        Args:
            count: how many.
            rng: source of randomness, all there is.

        Returns:
            Parameters by name, those of conversions included, each of shape
            ``(count,)``.

        Raises:
            UserError: if the constraints reject nearly everything, or a
                conversion or constraint lacks a parameter.
        """
        # distributions of torch know no source of randomness but the
        # global one, which is left as it was
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**63)))
            kept, keep = self._draw(count)
            rounds = 1
            while not keep.all():
                rejected = (~keep).nonzero().flatten()
                again, accepted = self._draw(len(rejected))
                for name, values in again.items():
                    kept[name][rejected] = values
                keep[rejected] = accepted
                rounds += 1
                if rounds > MOST_DRAWS:
                    raise UserError(
                        f"prior: after {MOST_DRAWS} draws the constraints "
                        f"still reject {int((~keep).sum())} of {count} "
                        "binaries; narrow the distributions"
                    )
        return kept

    def _draw(self, count: int) -> tuple[Parameters, Tensor]:
        """Unconstrained binaries, and which of them to keep."""
        parameters = {
            name: distribution.sample((count,)).double()
            for name, distribution in self.distributions.items()
        }
        for conversion in self.conversions:
            parameters |= _call(conversion, parameters)
        keep = torch.ones(count, dtype=torch.bool)
        for constraint in self.constraints:
            keep &= _call(constraint, parameters)
        return parameters, keep


def _call(
    function: Callable[[Parameters], Parameters | Tensor],
    parameters: Parameters,
) -> Parameters | Tensor:
    try:
        return function(parameters)
    except KeyError as error:
        name = getattr(function, "__name__", type(function).__name__)
        raise UserError(
            f"prior: {name} needs the parameter {error}; there are "
            f"{', '.join(parameters)}"
        ) from error
