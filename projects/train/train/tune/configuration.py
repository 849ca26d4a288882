"""The configuration of the training that a search varies."""

import copy
import difflib
import io
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import yaml
from conventions.errors import UserError
from storage import listing, location

from train.cli import main as train_main
from train.run import version

Tree = dict[str, Any]

FIXED = ("run_dir", "ckpt_path", "weights_only", "config")
"""Settings of a run that a search gives itself."""


class _Loader(yaml.SafeLoader):
    """Takes ``1e-4`` for a number, as the training's own parser does.

    A subclass of the safe loader: plain values alone, no objects.
    """


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def load(path: Path) -> Tree:
    """Read a YAML file.

    Args:
        path: of a file that holds a mapping, or nothing.

    Raises:
        UserError: if it is missing or holds something else.
    """
    try:
        content = yaml.load(path.read_text(), _Loader)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no YAML file: {error}") from None
    if content is not None and not isinstance(content, dict):
        raise UserError(f"{path} holds no settings by name")
    return content or {}


def effective(configs: Sequence[Tree], arguments: Sequence[str]) -> Tree:
    """All settings of a training, as its own command line reads them.

    Args:
        configs: content of configuration files, later ones win.
        arguments: of ``python -m train fit``.

    Returns:
        Its settings, those of its directory excepted.

    Raises:
        SystemExit: with code 2 and a message, for settings it refuses.
    """
    output = io.StringIO()
    with tempfile.TemporaryDirectory() as scratch:
        given = []
        for number, content in enumerate(configs):
            path = Path(scratch) / f"{number}.yaml"
            path.write_text(yaml.safe_dump(content))
            given.append(f"--config={path}")
        command = ["fit", *given, *arguments, "--run_dir=.", "--print_config"]
        with redirect_stdout(output), warnings.catch_warnings():
            # Lightning wants no arguments beside those of the process
            warnings.simplefilter("ignore")
            try:
                train_main(command)
            except SystemExit as stop:
                if stop.code:
                    raise
    settings = yaml.load(output.getvalue(), _Loader)
    return {k: v for k, v in settings.items() if k not in FIXED}


def vary(settings: Tree, values: Mapping[str, Any]) -> Tree:
    """Settings with some values replaced.

    Args:
        settings: of a training.
        values: by dotted name; ``init_args`` may be left out of a name.

    Returns:
        A copy.

    Raises:
        UserError: for a name that is none of the settings.
    """
    varied = copy.deepcopy(settings)
    for name, value in values.items():
        *parents, last = _path(varied, name)
        node = varied
        for key in parents:
            node = node[key]
        node[last] = value
    return varied


def _path(settings: Tree, name: str) -> list[str]:
    """Keys that lead to a setting."""
    node: Any = settings
    keys: list[str] = []
    for part in name.split("."):
        inner = isinstance(node, dict) and node.get("init_args")
        if isinstance(inner, dict) and part not in node:
            keys.append("init_args")
            node = inner
        if not isinstance(node, dict) or part not in node:
            known = [n for n in _names(settings) if not _is_own(n)]
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UserError(
                f"tune.space: the training has no setting {name}{hint}"
            )
        keys.append(part)
        node = node[part]
    if _is_own(name):
        raise UserError(
            f"tune.space: {name} is given to each trial by the search"
        )
    return keys


def _is_own(name: str) -> bool:
    """Whether a search gives a setting itself."""
    own = ("wandb", "trainer.devices", "trainer.accelerator")
    return any(name == o or name.startswith(f"{o}.") for o in own)


def _names(settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of all settings, without ``init_args``."""
    for key, value in settings.items():
        name = prefix if key == "init_args" else f"{prefix}{key}."
        if key != "init_args":
            yield name[:-1]
        if isinstance(value, Mapping):
            yield from _names(value, name)


def input_files(settings: Tree) -> dict[str, list[int | str]]:
    """What changes with the files that the data settings name.

    Args:
        settings: of a training.

    Returns:
        :func:`train.run.version` of each file in the directories that are
        settings of the data.
    """
    names = ("background_dir", "waveforms_dir")
    values = settings["data"].get("init_args", {})
    files = [
        file
        for name in names
        if name in values
        for file in listing(location(values[name]), "*")
        if not file.name.startswith(".")
    ]
    versions = {str(file): version(file) for file in files}
    return {file: about for file, about in versions.items() if about}
