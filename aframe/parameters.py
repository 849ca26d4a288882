"""Parameters of tasks, which name themselves when a value is wrong."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import luigi
from conventions.errors import UserError
from storage import Location

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
    """A path of this machine, or ``s3://bucket/key``.

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

    def parse(self, x: str | Location) -> Location | None:
        """Parse a path, None for an empty string.

        Raises:
            UserError: naming the parameter, if it is a URL of another kind.
        """
        if not str(x):
            return None
        try:
            return config.absolute(x)
        except UserError as error:
            raise UserError(f"{self._attribute_name}: {error}") from None

    def serialize(self, x: Location | None) -> str:
        """The path as a string, empty for None."""
        return "" if x is None else str(x)

    def normalize(self, x: str | Location | None) -> Location | None:
        """Accept strings and paths."""
        return None if x is None else self.parse(x)


class LocalPathParameter(PathParameter):
    """A path of this machine, where no other will do."""

    def parse(self, x: str | Path) -> Path | None:
        """Parse a path, None for an empty string.

        Raises:
            UserError: naming the parameter, if it is a URL.
        """
        place = super().parse(x)
        return place and config.require_local(place, self._attribute_name)


class PathsParameter(DictParameter):
    """Paths of this machine by name, in JSON, as in `LocalPathParameter`."""

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
        places = {key: self._local(path) for key, path in value.items()}
        return super().normalize(places)

    def _local(self, value: str) -> str:
        place = config.absolute(value)
        return str(config.require_local(place, self._attribute_name))
