"""What a search draws from: distributions by dotted parameter names."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from conventions.errors import UserError

KINDS = ("choice", "uniform", "loguniform", "randint")


class Distribution(Protocol):
    """One parameter's values."""

    def draw(self, rng: np.random.Generator) -> Any:
        """A value."""
        ...


@dataclass(frozen=True)
class Choice:
    """Each of several values, equally likely.

    Attributes:
        values: of any kind that the configuration takes.
    """

    values: tuple[Any, ...]

    def draw(self, rng: np.random.Generator) -> Any:
        """One of the values."""
        return self.values[rng.integers(len(self.values))]


@dataclass(frozen=True)
class Interval:
    """Numbers between two.

    Attributes:
        low: lower end.
        high: upper end.
        logarithmic: whether the logarithm is uniform, not the number.
    """

    low: float
    high: float
    logarithmic: bool = False

    def draw(self, rng: np.random.Generator) -> float:
        """A number."""
        if self.logarithmic:
            exponent = rng.uniform(math.log(self.low), math.log(self.high))
            value = math.exp(exponent)
        else:
            value = float(rng.uniform(self.low, self.high))
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Integers:
    """Whole numbers between two, both included, equally likely.

    Attributes:
        low: the smallest.
        high: the largest.
    """

    low: int
    high: int

    def draw(self, rng: np.random.Generator) -> int:
        """A number."""
        return int(rng.integers(self.low, self.high, endpoint=True))


def parse(space: Mapping[str, Any]) -> dict[str, Distribution]:
    """Read a search space.

    Args:
        space: by dotted name of a parameter, one of
            ``{choice: [a, b, ...]}``, ``{uniform: [low, high]}``,
            ``{loguniform: [low, high]}``, ``{randint: [low, high]}``.

    Returns:
        The distributions by name.

    Raises:
        UserError: if the space is empty or an entry is none of these.
    """
    if not isinstance(space, Mapping) or not space:
        raise UserError(
            "tune.space: there is nothing to search; give at least one "
            "parameter, such as model.learning_rate: {loguniform: [1e-4, "
            "1e-2]}"
        )
    return {str(name): _entry(name, entry) for name, entry in space.items()}


def _entry(name: str, entry: Any) -> Distribution:
    known = isinstance(entry, Mapping) and len(entry) == 1
    if not known or next(iter(entry)) not in KINDS:
        raise UserError(
            f"tune.space: {name}: {entry!r} is no distribution; accepted are "
            f"{', '.join(KINDS)}, such as {{uniform: [0, 1]}}"
        )
    ((kind, values),) = entry.items()
    place = f"tune.space: {name}: {kind}"
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise UserError(f"{place}: {values!r} is not a list")
    if kind == "choice":
        if not values:
            raise UserError(f"{place}: the list is empty")
        return Choice(tuple(values))
    numbers = int if kind == "randint" else int | float
    if (
        len(values) != 2
        or not all(type(v) is not bool for v in values)
        or not all(isinstance(v, numbers) for v in values)
        or not -math.inf < values[0] < values[1] < math.inf
    ):
        raise UserError(
            f"{place}: {list(values)} is not two "
            f"{'whole ' if kind == 'randint' else ''}numbers, the smaller "
            "one first"
        )
    low, high = values
    if kind == "randint":
        return Integers(low, high)
    if kind == "loguniform" and low <= 0:
        raise UserError(f"{place}: {low} is not above 0")
    return Interval(float(low), float(high), kind == "loguniform")


def draw(
    distributions: Mapping[str, Distribution], count: int, seed: int
) -> list[dict[str, Any]]:
    """Draw the parameters of all trials.

    Args:
        distributions: by name.
        count: of trials.
        seed: entropy; a trial's parameters depend on it, on the trial's
            number and on the distributions alone.

    Returns:
        One set of values by name for each trial.
    """
    found = []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        found.append({k: v.draw(rng) for k, v in distributions.items()})
    return found
