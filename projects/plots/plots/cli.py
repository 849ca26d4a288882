"""Command: ``python -m plots --help``."""

import logging
from collections.abc import Sequence
from pathlib import Path

from conventions.errors import exit_on_user_error
from jsonargparse import ActionConfigFile, ArgumentParser

from plots.main import sensitive_volume


def build_parser() -> ArgumentParser:
    """Build the parser, whose options are those of the main function."""
    parser = ArgumentParser(
        prog="python -m plots",
        description="Sensitive volume of a search: numbers and plots.",
    )
    parser.add_argument("--config", action=ActionConfigFile)
    parser.add_function_arguments(sensitive_volume)
    return parser


@exit_on_user_error()
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        argv: its options; None takes those of the process.

    Raises:
        SystemExit: with code 2, if the options are not accepted or a
            ``UserError`` was raised.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s")
    parser = build_parser()
    options = parser.instantiate(parser.parse_args(argv)).as_dict()
    options.pop("config")
    sensitive_volume(**options)
    report = Path(options["output_dir"]) / "report.html"
    print(f"report: {report}")  # noqa: T201
