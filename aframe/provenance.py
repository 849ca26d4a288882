"""What a run was made with: the code's revision and all versions."""

import json
import platform
import subprocess
from importlib.metadata import distributions
from typing import Any

from aframe import config


def record() -> dict[str, Any]:
    """Revision of the code, and versions of Python and its packages.

    Returns:
        ``revision`` (None outside of a git repository), ``modified``
        (whether files differ from it), ``python``, and ``packages`` with
        the version of each.
    """
    revision = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain", "--untracked-files=no")
    packages = {
        found.metadata["Name"]: found.version for found in distributions()
    }
    return {
        "revision": revision,
        "modified": bool(status),
        "python": platform.python_version(),
        "packages": dict(sorted(packages.items(), key=_by_name)),
    }


def text() -> str:
    """The record as JSON."""
    return json.dumps(record(), indent=1) + "\n"


def _by_name(item: tuple[str, str]) -> str:
    return item[0].lower()


def _git(*arguments: str) -> str | None:
    """What git says about this checkout, None if it is none."""
    try:
        result = subprocess.run(
            ["git", "-C", str(config.ROOT), *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
