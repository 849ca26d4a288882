"""``aframe-search``: searches strain files with a finished run."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from conventions.errors import UserError, exit_on_user_error
from conventions.progress import plain

DESCRIPTION = """\
Search strain with the trained network of a run, in this process.

Each event gets a false-alarm rate from the run's background. Writes
events.csv, events.hdf5 and plots of the detection statistic and of the
loudest event.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="aframe-search",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="GWOSC HDF5, aframe background file or GWF frame; any number "
        "per interferometer, any sample rate from the network's upwards",
    )
    made.add_argument(
        "--run",
        required=True,
        type=Path,
        metavar="DIR",
        help="directory of the run, as made by aframe-init",
    )
    made.add_argument(
        "--channel",
        action="append",
        default=[],
        metavar="IFO:NAME",
        help="channel of a GWF frame; once per interferometer",
    )
    made.add_argument(
        "--far",
        default="1/hour",
        metavar="N/UNIT",
        help="list events up to this false-alarm rate; units hour, day, "
        "month, yr (default: %(default)s)",
    )
    made.add_argument(
        "--output",
        default=Path("aframe-search"),
        type=Path,
        metavar="DIR",
        help="for the tables and plots (default: %(default)s)",
    )
    made.add_argument(
        "--device",
        default="cpu",
        help="for torch, such as cuda:0 (default: %(default)s)",
    )
    return made


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``aframe-search``.

    Args:
        arguments: of the command line, ``sys.argv[1:]`` by default.

    Raises:
        SystemExit: with code 2 after a message, for a user's mistake.
    """
    given = parser().parse_args(arguments)
    try:
        from infer.search import session
    except ModuleNotFoundError as error:
        raise UserError(
            f"aframe-search needs the package {error.name}: install infer "
            "with its extra, infer[torch]"
        ) from error
    session.search(
        run_directory=given.run,
        files=given.files,
        channel_names=given.channel,
        far=given.far,
        output=given.output,
        device=given.device,
        say=lambda text: sys.stdout.write(f"{text}\n"),
        progress=plain,
    )
