"""``aframe-init``: the configuration of a run, in a directory of its own."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from conventions.errors import UserError, exit_on_user_error
from conventions.files import complete
from storage import Location, location

from aframe import config, provenance
from aframe.tasks.train import DEFAULT_YAML

CONFIGS = Path(__file__).parent / "pipelines" / "sandbox" / "configs"

MODES = {
    "demo": ("base.cfg", "demo.cfg", "demo.yaml"),
    "sandbox": ("base.cfg", "bbh.cfg", "bbh.yaml"),
    "tune": ("base.cfg", "bbh.cfg", "tune.cfg", "bbh.yaml", "tune.yaml"),
}
"""Files of each mode; the scripts use the last ``.cfg``."""

REMOTE = "remote.cfg"
"""The configuration of a run in object storage, on top of the mode's."""

VERSIONS = "versions.json"
"""What the run was made with."""

DIRECTORIES = {
    "AFRAME_TRAIN_BACKGROUND_DIR": "data/train/background",
    "AFRAME_TRAIN_WAVEFORMS_DIR": "data/train/waveforms",
    "AFRAME_TEST_BACKGROUND_DIR": "data/test/background",
    "AFRAME_TEST_WAVEFORMS_DIR": "data/test/waveforms",
    "AFRAME_TRAIN_RUN_DIR": "training",
    "AFRAME_RESULTS_DIR": "results",
    "AFRAME_CONDOR_DIR": "condor",
    "AFRAME_TMPDIR": "tmp",
}
"""Where each variable of a run points, relative to its directory."""

STORED = ("data", "training")
"""Those of them that go to object storage, if anything does."""

RUN_SCRIPT = """\
#!/usr/bin/env bash
# Runs the pipeline in this directory; arguments go to law, for example
#   ./run.sh --print-status 3
#   ./run.sh --workers 4
# What is complete is not run again.
set -euo pipefail
source "$(dirname "${{BASH_SOURCE[0]}}")/environment.sh"

exec law run aframe.pipelines.sandbox.{pipeline} "$@"
"""


TRAIN_SECTION = """
[luigi_TrainLocal]
config = bbh.yaml
"""


S3_SECTION = """
[luigi_s3]
endpoint_url = {}
"""


TUNE_SECTION = """
[luigi_Tune]
train_task = TuneRemote
"""


def environment_script(
    config_name: str, programs: Path, stored: Location | None
) -> str:
    """The script that a shell sources to work with a run.

    Args:
        config_name: the configuration file, beside the script.
        programs: directory of the programs of the Python environment.
        stored: where data and training go, None: beside the script.

    Returns:
        The content of ``environment.sh``.
    """
    lines = []
    for name, place in DIRECTORIES.items():
        remote = stored is not None and place.split("/")[0] in STORED
        where = (
            shlex.quote(str(stored / place)) if remote else f'"$here/{place}"'
        )
        lines.append(f"export {name}={where}")
    exports = "\n".join(lines)
    return f"""# Settings of this run, for a bash that sources this file.
here="$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)"

export PATH={shlex.quote(str(programs))}:"$PATH"
export LAW_CONFIG_FILE="$here/{config_name}"
export LAW_HOME="$here/.law"
# Threads that wait give their core to other processes.
export OMP_WAIT_POLICY=PASSIVE
{exports}
"""


def contents(mode: str, stored: Location | None = None) -> dict[str, str]:
    """Name and content of each file of a run.

    Args:
        mode: one of :data:`MODES`.
        stored: where data and training go, None: beside the files.
    """
    sources = {name: CONFIGS / name for name in MODES[mode]}
    sources["bbh.yaml"] = DEFAULT_YAML
    files = {name: sources[name].read_text() for name in MODES[mode]}
    if "bbh.cfg" in files:
        files["bbh.cfg"] += TRAIN_SECTION
    script = next(n for n in reversed(MODES[mode]) if n.endswith(".cfg"))
    if stored is not None:
        text = (CONFIGS / REMOTE).read_text()
        text = text.replace("inherit = bbh.cfg", f"inherit = {script}")
        text += TUNE_SECTION * (mode == "tune")
        endpoint = config.process_environment().get(config.S3_ENDPOINT)
        endpoint = endpoint or config.process_environment().get(
            "AWS_ENDPOINT_URL"
        )
        files[REMOTE] = text + S3_SECTION.format(endpoint) * bool(endpoint)
        script = REMOTE
    programs = Path(sys.executable).parent
    pipeline = "Tune" if mode == "tune" else "Sandbox"
    files["environment.sh"] = environment_script(script, programs, stored)
    files["run.sh"] = RUN_SCRIPT.format(pipeline=pipeline)
    files[VERSIONS] = provenance.text()
    return files


def bucket(text: str) -> Location:
    """Read where in object storage a run goes.

    Args:
        text: such as ``s3://bucket/run``.

    Raises:
        UserError: if it is elsewhere.
    """
    if not text.startswith("s3://"):
        raise UserError(
            f"--s3-bucket: {text!r} is not of the form s3://bucket or "
            "s3://bucket/run"
        )
    return location(text)


def write(directory: Path, files: dict[str, str], *, force: bool) -> None:
    """Write files, but not over changed ones.

    Args:
        directory: where; it is made if needed.
        files: content by name.
        force: replace files that differ.

    Raises:
        UserError: naming the files that are there with another content, or
            a directory in which no server can start.
    """
    if " " in str(directory):
        raise UserError(
            f"directory: {str(directory)!r} has a space, and Triton's Python "
            "backend cannot start a network below it; name one without"
        )
    changed = [
        name
        for name, content in files.items()
        if (directory / name).exists()
        and (directory / name).read_text() != content
    ]
    if changed and not force:
        raise UserError(
            f"{directory} has other versions of {', '.join(changed)}: give "
            "--force to replace them, or another directory"
        )
    for name, content in files.items():
        if (directory / name).exists() and name not in changed:
            continue
        with complete(directory / name) as temporary:
            temporary.write_text(content)
            temporary.chmod(0o755 if name.endswith(".sh") else 0o644)


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: by default those of the process.
    """
    parser = argparse.ArgumentParser(
        prog="aframe-init",
        description="Write the configuration of a run and the script that "
        "runs it.",
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    offline = kinds.add_parser("offline", help="a search of archived data")
    offline.add_argument(
        "--mode",
        choices=sorted(MODES),
        required=True,
        help="demo: simulated data, in minutes; sandbox: the published "
        "search of open data; tune: the same with the best of many trainings",
    )
    offline.add_argument(
        "-d",
        "--directory",
        type=Path,
        required=True,
        help="where the run lives; it is made if needed",
    )
    offline.add_argument(
        "--s3-bucket",
        metavar="S3://BUCKET/RUN",
        help="where data and training go; the network is then trained on a "
        "Kubernetes cluster",
    )
    offline.add_argument(
        "--force", action="store_true", help="replace files that differ"
    )
    parsed = parser.parse_args(arguments)
    directory = parsed.directory.absolute()
    stored = bucket(parsed.s3_bucket) if parsed.s3_bucket else None
    write(directory, contents(parsed.mode, stored), force=parsed.force)
    sys.stdout.write(f"{directory / 'run.sh'} runs the pipeline\n")
