"""Vetoed times by category and interferometer, and their file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import h5py
import numpy as np
from conventions.errors import UserError
from conventions.files import complete

from ledger.storage import PATH, opened
from ledger.vetos import merge_intervals


@dataclass(frozen=True)
class VetoSet:
    """Times that a search leaves out, each with its reason.

    In the file each category is a group of ``vetos`` with one dataset an
    ifo; ``settings`` and ``notes`` are texts in JSON.

    Attributes:
        intervals: by category and ifo, GPS start and stop in seconds of
            that ifo's own data, sorted and disjoint, shape (interval, 2);
            the stop does not belong to an interval. Every category has
            every ifo.
        settings: how they were asked for, as JSON can hold it.
        notes: what was read, and what limits the use of these times.

    Raises:
        UserError: at construction, if an interval ends before it starts.
    """

    intervals: Mapping[str, Mapping[str, np.ndarray]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        merged = {}
        for category, by_ifo in self.intervals.items():
            try:
                merged[category] = {
                    ifo: merge_intervals(rows) for ifo, rows in by_ifo.items()
                }
            except UserError as error:
                raise UserError(f"vetoes {category}: {error}") from None
        object.__setattr__(self, "intervals", merged)

    def of(
        self, categories: Sequence[str], ifos: Sequence[str]
    ) -> list[np.ndarray]:
        """Give the union of categories for each ifo.

        Args:
            categories: names of categories.
            ifos: interferometers, in the order of the result.

        Returns:
            One array (interval, 2) an ifo, sorted and disjoint.

        Raises:
            UserError: if a category or one of its ifos is not there.
        """
        union = []
        for ifo in ifos:
            parts = [np.empty((0, 2))]
            parts += [self._find(category, ifo) for category in categories]
            union.append(merge_intervals(np.concatenate(parts)))
        return union

    def _find(self, category: str, ifo: str) -> np.ndarray:
        by_ifo = self.intervals.get(category)
        if by_ifo is None:
            known = ", ".join(self.intervals) or "none"
            raise UserError(
                f"there are no vetoes of category {category} (there are "
                f"{known})"
            )
        if ifo not in by_ifo:
            raise UserError(
                f"the vetoes of category {category} are for "
                f"{', '.join(by_ifo) or 'no interferometer'}, not for {ifo}"
            )
        return by_ifo[ifo]

    def write(self, fname: PATH) -> None:
        """Write the times; the file is complete or absent.

        Args:
            fname: the file, replaced if it exists.
        """
        with complete(fname) as path, h5py.File(path, "w") as file:
            file["settings"] = json.dumps(dict(self.settings))
            file["notes"] = json.dumps(dict(self.notes))
            vetos = file.create_group("vetos", track_order=True)
            for category, by_ifo in self.intervals.items():
                group = vetos.create_group(category, track_order=True)
                for ifo, rows in by_ifo.items():
                    group.create_dataset(ifo, data=rows).attrs["unit"] = "s"

    @classmethod
    def read(cls, fname: PATH) -> Self:
        """Read the times.

        Args:
            fname: the file.

        Raises:
            UserError: if the file is missing, truncated or foreign.
        """
        with opened(fname) as file:
            try:
                return cls(
                    {
                        category: {ifo: rows[:] for ifo, rows in group.items()}
                        for category, group in file["vetos"].items()
                    },
                    json.loads(file["settings"][()]),
                    json.loads(file["notes"][()]),
                )
            except (KeyError, AttributeError, TypeError, ValueError) as error:
                raise UserError(
                    f"{fname}: not a file of vetoed times ({error})"
                ) from error
