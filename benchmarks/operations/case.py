"""What an operation is, and the tables that several of them take."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ledger.injections import (
    InterferometerResponseSet,
    waveform_class_factory,
)
from ledger.ledger import Ledger

BLOCK = 2**20
RATE, DURATION, RIGHT_PAD = 2048.0, 8.0, 0.5
WAVEFORM = int(RATE * DURATION)
SPACING = 20.0
Responses = waveform_class_factory(
    ["H1", "L1"], InterferometerResponseSet, "Responses"
)
MADE = {
    "sample_rate": RATE,
    "duration": DURATION,
    "right_pad": RIGHT_PAD,
    "ifos": ["H1", "L1"],
}


@dataclass(frozen=True)
class Case:
    """An operation on its inputs, and what it is compared with.

    Attributes:
        size: of the inputs, in words.
        run: the operation.
        baseline: does the same the straightforward way, or a part of it.
        factor: by how much the baseline would take longer for all of it.
    """

    size: str
    run: Callable[[], object]
    baseline: Callable[[], object]
    factor: float


def scaled(number: float, scale: float, least: int = 10) -> int:
    """Scale the size of an input."""
    return max(round(number * scale), least)


def short(number: int) -> str:
    """Write a large number as 1e8."""
    return f"{number:.0e}".replace("e+0", "e")


def drawn(
    count: int, draw: Callable[[int], np.ndarray], width: int | None = None
) -> np.ndarray:
    """Draw numbers in blocks, so that making them takes no more memory."""
    values = np.zeros(count if width is None else (count, width))
    column = values if width is None else values[:, -1]
    for start in range(0, count, BLOCK):
        block = column[start : start + BLOCK]
        block[:] = draw(len(block))
    return values


def make_rows(cls: type[Ledger], count: int) -> dict[str, np.ndarray]:
    """Make the parameters of a table of injections."""
    rng = np.random.default_rng(2)
    wide = ("shift", "ifo_snrs")
    return {
        name: drawn(count, rng.random, 2 if name in wide else None)
        for name, kind in cls.columns().items()
        if kind == "parameter"
    }
