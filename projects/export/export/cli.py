"""Command line of the export."""

from conventions.errors import exit_on_user_error
from jsonargparse import auto_cli

from export.main import export


def main() -> None:
    """Run the export with options from the command line."""
    with exit_on_user_error():
        auto_cli(export, prog="python -m export", as_positional=False)
