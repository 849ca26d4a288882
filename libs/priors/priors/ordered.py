"""Two masses drawn independently, of which the first is the heavier."""

from collections.abc import Mapping, Sequence
from typing import Any

from bilby.core.prior import Constraint, Prior, PriorDict
from conventions.errors import UserError
from scipy.integrate import quad

MASSES = ("mass_1", "mass_2")


class OrderedMassesPriorDict(PriorDict):
    """Independent priors of ``mass_1`` and ``mass_2``, ordered.

    The joint density is p1(mass_1) p2(mass_2) / Z where
    mass_1 >= mass_2 and zero elsewhere, with Z = P(mass_1 >= mass_2) the
    integral of p1(m) F2(m) over m, computed by quadrature. (Bilby's own
    normalisation of a constraint is a Monte Carlo estimate with an error
    of a percent.)

    Args:
        dictionary: priors by parameter; the ordering is added to them.
        filename: as in ``bilby.core.prior.PriorDict``.
        conversion_function: as in ``bilby.core.prior.PriorDict``.
    """

    def __init__(
        self,
        dictionary: Mapping[str, Prior | float] | None = None,
        filename: str | None = None,
        conversion_function: Any | None = None,
    ) -> None:
        super().__init__(dictionary, filename, conversion_function)
        self["mass_ratio"] = Constraint(0, 1, name="mass_ratio")

    def default_conversion_function(
        self, sample: dict[str, Any]
    ) -> dict[str, Any]:
        """Add the mass ratio, on which the ordering is a constraint."""
        if not all(mass in sample for mass in MASSES):
            return sample
        return sample | {"mass_ratio": sample["mass_2"] / sample["mass_1"]}

    def ordered_fraction(self) -> float:
        """Probability Z that independent draws have mass_1 >= mass_2."""
        first, second = (self[mass] for mass in MASSES)
        fraction, _ = quad(
            lambda u: float(second.cdf(first.rescale(u))), 0, 1, epsabs=1e-12
        )
        return fraction

    def normalize_constraint_factor(
        self, keys: Sequence[str], *_: Any, **__: Any
    ) -> float:
        """Factor by which the ordering raises the density of its support.

        Args:
            keys: parameters whose joint density is asked for.

        Returns:
            1/Z where both masses are among them, 1 where none is.

        Raises:
            UserError: if one mass is asked for without the other: its
                marginal density is not the product that is evaluated.
        """
        given = [mass for mass in MASSES if mass in keys]
        if not given:
            return 1.0
        if len(given) == 1:
            raise UserError(
                f"the density of {given[0]} alone was asked of a prior that "
                "orders mass_1 >= mass_2; both masses are needed"
            )
        key = (self["mass_1"], self["mass_2"])
        if self._cached_normalizations.get("priors") != key:
            self._cached_normalizations = {
                "priors": key,
                "factor": 1 / self.ordered_fraction(),
            }
        return self._cached_normalizations["factor"]
