"""False-alarm rates as people write and read them."""

import re

from conventions.errors import UserError
from ledger.events import SECONDS_IN_YEAR

SECONDS = {
    "hour": 3600.0,
    "day": 86400.0,
    "month": SECONDS_IN_YEAR / 12,
    "yr": SECONDS_IN_YEAR,
    "year": SECONDS_IN_YEAR,
}
RATE = re.compile(r"([^/\s]+)\s*/\s*([a-z]+)")


def parse(text: str) -> float:
    """Read a rate such as ``1/hour`` or ``0.5/day``.

    Args:
        text: number, slash, unit.

    Returns:
        The rate in 1/yr.

    Raises:
        UserError: if it does not have this form or is not positive.
    """
    match = RATE.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError(text)
        rate = float(match[1]) * SECONDS_IN_YEAR / SECONDS[match[2]]
        if not 0 < rate < float("inf"):
            raise ValueError(text)
    except (ValueError, KeyError):
        raise UserError(
            f"{text!r} is not a rate: write a positive number, a slash and "
            f"one of {', '.join(SECONDS)}, such as 1/hour"
        ) from None
    return rate


def show(rate: float, *, at_most: bool = False) -> str:
    """Write a rate in the unit that suits its size.

    Args:
        rate: in 1/yr.
        at_most: mark it as an upper limit with ``<=``.

    Returns:
        Per hour from one a day upwards, otherwise per year.
    """
    mark = "<= " if at_most else ""
    if rate >= SECONDS_IN_YEAR / SECONDS["day"]:
        return f"{mark}{rate * SECONDS['hour'] / SECONDS_IN_YEAR:.3g}/hour"
    return f"{mark}{rate:.3g}/yr"
