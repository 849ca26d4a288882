import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[4]


@pytest.fixture(scope="session")
def event_files():
    """Paths of the real files of an event by its file's start time."""

    def files(start):
        root = os.environ.get("AFRAME_REAL_DATA") or "../shared/data"
        events = (REPOSITORY / root).resolve() / "events"
        paths = [
            events / f"{ifo[0]}-{ifo}_LOSC_4_V2-{start}-32.hdf5"
            for ifo in ("H1", "L1")
        ]
        absent = [str(path) for path in paths if not path.is_file()]
        if absent:
            reason = f"no real data: {', '.join(absent)}"
            if "data" in os.environ.get("AFRAME_REQUIRE", "").split(","):
                pytest.fail(reason)
            pytest.skip(reason)
        return paths

    return files
