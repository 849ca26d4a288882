"""What all tests share: how a test says what it needs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent


@pytest.fixture(scope="session")
def need() -> Callable[[str, bool, str], None]:
    """Function that skips a test for want of something.

    ``need(name, there, reason)`` skips with the reason unless ``there``;
    where the environment variable ``AFRAME_REQUIRE`` lists the name, it
    fails instead.
    """

    def check(name: str, there: bool, reason: str) -> None:
        if there:
            return
        if name in os.environ.get("AFRAME_REQUIRE", "").split(","):
            pytest.fail(f"AFRAME_REQUIRE names {name}, but {reason}")
        pytest.skip(reason)

    return check


@pytest.fixture(scope="session")
def real_data(need: Callable[[str, bool, str], None]) -> Path:
    """Folder of real strain and PSDs."""
    default = ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("AFRAME_REAL_DATA") or default)
    reason = f"there is no {folder}: AFRAME_REAL_DATA names real data"
    need("data", folder.is_dir(), reason)
    return folder
