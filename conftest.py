"""What all tests share: how a test says what it needs."""

import os
from collections.abc import Callable

import pytest


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
