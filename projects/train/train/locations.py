"""Where copies of what is in a store are kept."""

import os
import tempfile
from pathlib import Path


def default_cache() -> Path:
    """Directory of this node for copies, one of each user."""
    return Path(tempfile.gettempdir()) / f"aframe-cache-{os.getuid()}"
