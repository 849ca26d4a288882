"""Commands: one a product, ``python -m datagen <command> --help``."""

import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from conventions.errors import UserError, exit_on_user_error
from conventions.progress import plain
from conventions.segments import read, write
from jsonargparse import ActionConfigFile, ArgumentParser

from datagen import segments
from datagen.vetos import VetoSources
from datagen.vetos import vetos as collect_vetos

COMMANDS = {
    "query": ("datagen.cli:query", "find segments of time to analyse"),
    "vetos": ("datagen.cli:vetos", "collect times that a search leaves out"),
    "background": (
        "datagen.background:fetch",
        "make or fetch one file of background strain",
    ),
    "training-waveforms": (
        "datagen.waveforms:training_waveforms",
        "make polarizations to train with",
    ),
    "validation-waveforms": (
        "datagen.waveforms:validation_waveforms",
        "make responses to validate with",
    ),
    "testing-waveforms": (
        "datagen.waveforms:testing_waveforms",
        "make the injections of one segment and shift",
    ),
    "merge": (
        "datagen.waveforms:merge",
        "merge files of waveforms or parameters into one",
    ),
}
"""Command: where its function is, and what it does."""


def query(
    output: Path,
    source: str,
    ifos: list[str],
    start: float,
    stop: float,
    flag: str = "DATA",
    min_duration: float = 0.0,
    max_duration: float | None = None,
    host: str | None = None,
) -> None:
    """Find the segments of a span and write them in segwizard format.

    Args:
        output: file to be written, such as ``segments.txt``.
        source: ``simulated`` or ``gwosc``.
        ifos: interferometers that must have data at the same time.
        start: GPS start of the span, s.
        stop: GPS end of the span, s.
        flag: for open data, data-quality flag without the ifo.
        min_duration: shortest segment that is of use, s.
        max_duration: longest segment, s; longer ones are split.
        host: for open data, address of the server.

    Raises:
        UserError: as :func:`datagen.segments.query` does.
    """
    found = segments.query(
        source,
        ifos,
        start,
        stop,
        flag=flag,
        min_duration=min_duration,
        max_duration=max_duration,
        host=host,
    )
    write(output, found)


def vetos(
    output: Path,
    categories: list[str],
    ifos: list[str],
    segments: Path,
    sources: VetoSources,
) -> None:
    """Collect vetoed times in one file.

    Args:
        output: file to be written, such as ``vetos.hdf5``.
        categories: CAT1, CAT2, ..., GATES, SEGMENTS, CATALOG.
        ifos: interferometers.
        segments: file of the segments that are searched.
        sources: where the times come from.

    Raises:
        UserError: as :func:`datagen.vetos.vetos` does.
    """
    collect_vetos(output, categories, ifos, read(segments), sources)


def build_parser(
    chosen: str | None = None,
) -> tuple[ArgumentParser, Callable[..., None] | None]:
    """Build the parser of the command line.

    Only the function of the chosen command is imported, since some need
    libraries that take seconds to load.

    Args:
        chosen: name of the command whose options are added.

    Returns:
        The parser, and the function of the chosen command.
    """
    parser = ArgumentParser(
        prog="python -m datagen",
        description="Segments, background strain and simulated signals.",
    )
    subcommands = parser.add_subcommands(required=True)
    function = None
    for name, (target, summary) in COMMANDS.items():
        command = ArgumentParser(description=f"{summary.capitalize()}.")
        command.add_argument("--config", action=ActionConfigFile)
        if name == chosen:
            module, attribute = target.split(":")
            function = getattr(importlib.import_module(module), attribute)
            command.add_function_arguments(function, skip={"progress"})
        subcommands.add_subcommand(name, command, help=summary)
    return parser, function


@exit_on_user_error()
def main(argv: Sequence[str] | None = None) -> None:
    """Run one command.

    Args:
        argv: its name and options; None takes those of the process.

    Raises:
        SystemExit: with code 2, if the options are not accepted or a
            ``UserError`` was raised.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    chosen = next((word for word in argv if word in COMMANDS), None)
    parser, function = build_parser(chosen)
    parsed = parser.parse_args(argv)
    try:
        options: dict[str, Any] = parser.instantiate(parsed)[chosen].as_dict()
    except ValueError as error:
        raise UserError(f"{chosen}: {error}") from error
    options.pop("config", None)
    if "progress" in inspect.signature(function).parameters:
        options["progress"] = plain
    function(**options)
