"""Checks of configuration files: sections, keys, references and values.

References are checked before law reads the file, everything else by the
first task.
"""

import configparser
import difflib
import functools
import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import luigi
from conventions.errors import UserError

from aframe import config

SHARED = "luigi_base"
"""The section of settings that several tasks refer to."""

SHARED_SETTINGS = ("sandbox", "container_root")
"""Its keys that aframe itself reads."""

_REFERENCE = re.compile(r"^&(?:::(?P<section>[^:]+))?::(?P<key>.+)$")


@dataclass
class ConfigFile:
    """A configuration file together with those it inherits from.

    Attributes:
        path: of the file.
        values: raw value by section and key.
        origins: file that gave a value, by section and key.
    """

    path: Path
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    origins: dict[tuple[str, str], Path] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "ConfigFile":
        """Read a file as law does: inherited, own, extended.

        Raises:
            UserError: if a file is missing or not in the format.
        """
        content = cls(path)
        content._include(path)
        return content

    def _include(self, path: Path) -> None:
        parser = configparser.ConfigParser(
            allow_no_value=True, interpolation=None
        )
        parser.optionxform = str  # type: ignore[assignment]
        if not path.is_file():
            raise UserError(f"there is no configuration file {path}")
        try:
            parser.read(path)
        except configparser.Error as error:
            raise UserError(f"{path}: {error}") from None
        for other in _others(parser, "inherit", path):
            self._include(other)
        for section in parser.sections():
            self.values.setdefault(section, {})
            for key, value in parser.items(section):
                self.values[section][key] = value or ""
                self.origins[section, key] = path
        for other in _others(parser, "extend", path):
            self._include(other)

    def place(self, section: str, key: str) -> str:
        """Where a value was given, for an error."""
        return f"[{section}] of {self.origins.get((section, key), self.path)}"

    def references(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        """What each referred section and key is referred by."""
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for section, keys in self.values.items():
            for key, value in keys.items():
                match = _REFERENCE.match(value)
                if match:
                    target = (match["section"] or section, match["key"])
                    found.setdefault(target, []).append((section, key))
        return found

    def check_references(self) -> None:
        """Refuse references to what is not there.

        Raises:
            UserError: naming the reference and what may have been meant.
        """
        for (section, key), users in self.references().items():
            if key in self.values.get(section, {}):
                continue
            near = [*self.values.get(section, {}), *self.values]
            raise UserError(
                f"{users[0][1]} in {self.place(*users[0])} refers to {key} "
                f"of [{section}], which is not there"
                + suggest(key, near if section in self.values else self.values)
            )


def _others(
    parser: configparser.ConfigParser, option: str, path: Path
) -> list[Path]:
    value = parser.get("core", option, fallback=None) or ""
    names = [name.strip() for name in value.split(",")]
    return [path.parent / config.expand(name) for name in names if name]


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of an error: what may have been meant by ``name``."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _families() -> dict[str, type]:
    """All tasks and luigi's own sections, by name."""
    importlib.import_module("aframe.tasks")
    importlib.import_module("aframe.pipelines.sandbox")
    register = luigi.task_register.Register
    ambiguous = register.AMBIGUOUS_CLASS
    return {
        name: cls
        for name, cls in register._get_reg().items()
        if cls is not ambiguous
    }


def check(path: Path) -> None:
    """Check a configuration file.

    Args:
        path: of the file.

    Raises:
        UserError: for the first unknown section or key, reference to what
            is not there, or value of the wrong kind.
    """
    content = ConfigFile.read(path)
    content.check_references()
    for module in content.values.get("modules", {}):
        importlib.import_module(module)
    families = _families()
    _check_sections(content, families)
    _check_shared(content)
    for section, keys in content.values.items():
        cls = families.get(section.removeprefix("luigi_"))
        if section.startswith("luigi_") and cls is not None:
            _check_keys(content, section, keys, cls)
    _check_variables()


def _check_variables() -> None:
    for name in config.process_environment():
        if name.startswith("AFRAME_") and name not in config.VARIABLES:
            near = difflib.get_close_matches(name, config.VARIABLES, 1, 0.9)
            if near:
                raise UserError(
                    f"environment variable {name} is unknown; did you mean "
                    f"{near[0]}?"
                )


def _check_sections(content: ConfigFile, families: dict[str, type]) -> None:
    import law

    known = [f"luigi_{name}" for name in families] + [SHARED]
    other = set(law.config.Config._default_config)
    referred = {section for section, _ in content.references()}
    for section, keys in content.values.items():
        if section in known or section in other or section in referred:
            continue
        if any(
            section.startswith(f"{name}_sandbox") for name in ("bash", "venv")
        ):
            continue
        place = content.place(section, next(iter(keys), ""))
        raise UserError(
            f"unknown section {place}" + suggest(section, [*known, *other])
        )


def _check_shared(content: ConfigFile) -> None:
    referred = {k for s, k in content.references() if s == SHARED}
    for key in content.values.get(SHARED, {}):
        if key not in referred and key not in SHARED_SETTINGS:
            raise UserError(
                f"unknown key {key} in {content.place(SHARED, key)}: no task "
                "refers to it" + suggest(key, [*referred, *SHARED_SETTINGS])
            )


def _check_keys(
    content: ConfigFile, section: str, keys: dict[str, str], cls: type
) -> None:
    configuration = luigi.configuration.get_config()
    params = dict(cls.get_params())
    ignored = getattr(cls, "ignore_unconsumed", ())
    family = section.removeprefix("luigi_")
    for key in keys:
        place = content.place(section, key)
        name = key.replace("-", "_")
        if name in ignored:
            continue
        if name not in params:
            raise UserError(
                f"unknown key {key} in {place}" + suggest(key, params)
            )
        value = configuration.get(family, key, None)
        if value is None:
            continue
        try:
            params[name].normalize(params[name].parse(value))
        except UserError as error:
            raise UserError(f"{error} (in {place})") from None
        except Exception as error:
            raise UserError(
                f"{key} = {value} in {place} is not accepted: {error}"
            ) from None


@functools.cache
def check_once() -> None:
    """Check the file that law has read, once in a process.

    Raises:
        UserError: as :func:`check` does, or if ``LAW_CONFIG_FILE`` names no
            file.
    """
    config.named_config_file()
    file = config.config_file()
    if file is not None:
        check(file)


def from_sections(
    cls: type, params: list[tuple[str, Any]], given: dict[str, Any]
) -> dict[str, Any]:
    """Values that a task takes from the sections of its bases.

    Args:
        cls: the task's class, with ``config_sections``.
        params: its parameters.
        given: values that are given by the caller.

    Returns:
        Values of parameters that neither the caller nor the command line
        nor the task's own section give.
    """
    configuration = luigi.configuration.get_config()
    parser = luigi.cmdline_parser.CmdlineParser.get_instance()
    arguments = vars(parser.known_args) if parser else {}
    family = cls.get_task_family()
    found = {}
    for name, param in params:
        if name in given:
            continue
        for section in (family, *cls.config_sections):
            value = arguments.get(f"{section}_{name}")
            if value is not None:
                value = param.parse(value)
            elif configuration.has_option(section, name):
                value = param._get_value_from_config(section, name)
            else:
                continue
            if section != family:
                found[name] = param.normalize(value)
            break
    return found


def describe_missing(
    cls: type, params: list[tuple[str, Any]], given: dict[str, Any]
) -> str:
    """Message for parameters without a value, empty if there are none."""
    family = cls.get_task_family()
    given = {**from_sections(cls, params, given), **given}
    missing = [
        name
        for name, param in params
        if name not in given and not param.has_task_value(family, name)
    ]
    if not missing:
        return ""
    options = " ".join(f"--{name.replace('_', '-')}" for name in missing)
    return (
        f"{family} has no value for {', '.join(missing)}: set them in "
        f"[luigi_{family}] of the file that LAW_CONFIG_FILE names, or give "
        f"{options}"
    )


def check_before_law() -> None:
    """Check the references of the file that law is about to read.

    Law follows them when it is imported, before any of aframe's code runs.

    Raises:
        UserError: naming the reference, or the file if there is none.
    """
    file = config.named_config_file() or Path.cwd() / "law.cfg"
    if file.is_file():
        ConfigFile.read(file).check_references()
