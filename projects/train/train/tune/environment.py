"""Environment variables that Ray reads when it is imported."""

import os
from pathlib import Path

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",  # of the two reporters the one that is quiet
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ctrl-C ends a search as any other signal does: at once, to go on later.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}


def prepare(endpoint: str | None) -> None:
    """Set what is not set, for this process and those that it starts.

    Args:
        endpoint: of a cluster elsewhere. Ray's client shows it the user's
            token only if told to, and most clusters want to see one.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    token = Path.home() / ".ray" / "auth_token"
    given = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    if endpoint is not None and (given or token.is_file()):
        os.environ.setdefault("RAY_AUTH_MODE", "token")
