"""The error that a user can cause, and how a command reports it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """A mistake in what the user gave: a value, a file, a setting.

    The message stands alone: it names the offending value, where it came
    from and what is accepted. Tasks and commands print it without a
    traceback.
    """


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Turn a :class:`UserError` into one message and exit code 2.

    Usable as a context manager and as a decorator of a command's ``main``.

    Raises:
        SystemExit: with code 2, when the body raises ``UserError``.
    """
    try:
        yield
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from None
