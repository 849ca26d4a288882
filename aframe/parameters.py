"""Parameters of tasks, which name themselves when a value is wrong."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import luigi
from conventions.errors import UserError

from aframe import config


class _Named:
    """Turns a value that cannot be parsed into a message with its name."""

    accepted = ""

    def parse(self, x: Any) -> Any:
        """Parse a value.

        Raises:
            UserError: naming the parameter, the value and what is accepted.
        """
        try:
            return super().parse(x)
        except (ValueError, TypeError):
            raise UserError(
                f"{self._attribute_name}: {x!r} is not {self.accepted}"
            ) from None


class FloatParameter(_Named, luigi.FloatParameter):
    """A number."""

    accepted = "a number"


class OptionalFloatParameter(_Named, luigi.OptionalFloatParameter):
    """A number or nothing."""

    accepted = "a number or empty"


class IntParameter(_Named, luigi.IntParameter):
    """A whole number."""

    accepted = "a whole number"


class OptionalIntParameter(_Named, luigi.OptionalIntParameter):
    """A whole number or nothing."""

    accepted = "a whole number or empty"


class BoolParameter(_Named, luigi.BoolParameter):
    """True or false."""

    accepted = "true or false"


class ListParameter(_Named, luigi.ListParameter):
    """A list, in JSON."""

    accepted = 'a list such as ["H1", "L1"] or [0, 1]'

    def parse(self, x: Any) -> Any:
        """Parse a list.

        Raises:
            UserError: naming the parameter, if it is not a list.
        """
        if str(x).lstrip().startswith("{"):
            raise UserError(
                f"{self._attribute_name}: {x!r} is not {self.accepted}"
            )
        return super().parse(x)


class DictParameter(_Named, luigi.DictParameter):
    """A mapping, in JSON."""

    accepted = 'a mapping such as {"H1": "curve.txt"}'


class ChoiceParameter(_Named, luigi.ChoiceParameter):
    """One of several words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.accepted = "one of " + ", ".join(sorted(self._choices))


class PathParameter(luigi.Parameter):
    """A local path.

    A relative path counts from the working directory on the command line,
    and from the configuration file's directory in that file.
    """

    def _get_value_from_config(self, section: str, name: str) -> Any:
        settings = luigi.configuration.get_config()
        value = settings.get(section, name, "")
        if not value:
            return super()._get_value_from_config(section, name)
        self.parse(value)
        return config.beside_config(value)

    def parse(self, x: str | Path) -> Path | None:
        """Parse a path, None for an empty string.

        Raises:
            UserError: if it is not a path of this machine.
        """
        if not str(x):
            return None
        if "://" in str(x):
            raise UserError(
                f"{self._attribute_name}: {x!r} is not a path of this "
                "machine, and no others are accepted at present"
            )
        return config.absolute(x)

    def serialize(self, x: Path | None) -> str:
        """The path as a string, empty for None."""
        return "" if x is None else str(x)

    def normalize(self, x: str | Path | None) -> Path | None:
        """Accept strings and paths."""
        return None if x is None else self.parse(x)


class PathsParameter(DictParameter):
    """Local paths by name, in JSON; relative ones as in `PathParameter`."""

    accepted = 'a mapping to paths such as {"H1": "gates.txt"}'

    def _get_value_from_config(self, section: str, name: str) -> Any:
        value = super()._get_value_from_config(section, name)
        if isinstance(value, Mapping):
            self._check(value)
            value = {k: str(config.beside_config(v)) for k, v in value.items()}
        return value

    def _check(self, value: Any) -> None:
        if not isinstance(value, Mapping) or not all(
            isinstance(path, str) for path in value.values()
        ):
            raise UserError(
                f"{self._attribute_name}: {json.dumps(value, default=dict)} "
                f"is not {self.accepted}"
            )

    def normalize(self, value: Mapping[str, str]) -> Mapping[str, str]:
        """Make the paths absolute.

        Raises:
            UserError: naming the parameter, if it maps to no paths.
        """
        self._check(value)
        return super().normalize(
            {key: str(config.absolute(path)) for key, path in value.items()}
        )
