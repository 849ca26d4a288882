"""Progress of long loops: the caller chooses how it is shown."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Wraps an iterable and shows how far its consumer has come."""

    def __call__(
        self,
        iterable: Iterable[T],
        total: int | None = None,
        description: str = "",
    ) -> Iterable[T]:
        """Yield the items of ``iterable``, of which there are ``total``."""
        ...


def silent(
    iterable: Iterable[T],
    total: int | None = None,
    description: str = "",
) -> Iterable[T]:
    """Show nothing."""
    return iterable


def plain(
    iterable: Iterable[T],
    total: int | None = None,
    description: str = "",
    every: float = 10.0,
) -> Iterator[T]:
    """Write a line to stderr about every ``every`` seconds and at the end.

    Args:
        iterable: what to loop over.
        total: number of items; ``len(iterable)`` where that is known.
        description: what is being done.
        every: seconds between two lines.

    Yields:
        The items of ``iterable``.
    """
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)
    began = shown = time.monotonic()
    for count, item in enumerate(iterable, start=1):
        yield item
        now = time.monotonic()
        if now - shown >= every or count == total:
            sys.stderr.write(_line(description, count, total, now - began))
            shown = now


def _line(
    description: str, count: int, total: int | None, elapsed: float
) -> str:
    rate = count / elapsed if elapsed > 0 else float("inf")
    if total is None:
        return f"{description}: {count} done, {rate:.3g}/s\n"
    left = (total - count) / rate
    return f"{description}: {count}/{total}, {rate:.3g}/s, {left:.0f} s left\n"
