"""Categories of vetoed times."""

import re

from conventions.errors import UserError

FLAGGED = re.compile(r"CAT[1-9]\d*")
"""Categories of a veto-definer file."""

GATES = "GATES"
SEGMENTS = "SEGMENTS"
CATALOG = "CATALOG"

LISTED = (GATES, SEGMENTS, CATALOG)
"""Categories that come from tables of their own."""


def check_category(name: str) -> None:
    """Look whether there is such a category.

    Args:
        name: of a category.

    Raises:
        UserError: if there is none.
    """
    if name not in LISTED and not FLAGGED.fullmatch(name):
        raise UserError(
            f"vetos: category {name!r} is unknown, accepted are CAT1, CAT2, "
            f"..., {', '.join(LISTED)}"
        )
