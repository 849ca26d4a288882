"""How waveforms were made, and how many signals were drawn."""

import math
from dataclasses import dataclass
from typing import Any

from conventions.errors import UserError

from ledger.ledger import Ledger, metadata


@dataclass(eq=False)
class InjectionMetadata(Ledger):
    """How waveforms were made and how many were drawn for them.

    Attributes:
        sample_rate: Hz.
        duration: length of each waveform in seconds.
        right_pad: seconds from the coalescence to a waveform's right edge.
        num_injections: draws from the prior, kept and rejected.

    Raises:
        UserError: at construction, if there are more rows than draws, a
            value makes no sense, or waveforms do not have the stated
            duration.
    """

    sample_rate: float | None = metadata()
    duration: float | None = metadata()
    right_pad: float | None = metadata()
    num_injections: int = metadata(default=0, merge="add")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.num_injections = int(self.num_injections)
        if len(self) and self.waveform_fields:
            self._check_waveforms()

    @classmethod
    def _check_metadata(cls, metadata: dict[str, Any], length: int) -> None:
        super()._check_metadata(metadata, length)
        count = metadata["num_injections"]
        if (
            not isinstance(count, int | float)
            or not 0 <= count < math.inf
            or count != int(count)
        ):
            raise UserError(
                f"{cls.__name__}: num_injections is {count!r}, not a number "
                "of draws"
            )
        if count < length:
            raise UserError(
                f"{cls.__name__}: num_injections is {int(count)}, fewer than "
                f"the {length} rows"
            )
        for name, lowest in (
            ("sample_rate", "positive"),
            ("duration", "positive"),
            ("right_pad", "at least 0"),
        ):
            value = metadata[name]
            if value is None:
                continue
            if not isinstance(value, int | float) or not (
                value > 0 or (value == 0 and name == "right_pad")
            ):
                raise UserError(
                    f"{cls.__name__}: {name} is {value!r}; a number that is "
                    f"{lowest} is needed"
                )

    def _check_waveforms(self) -> None:
        if self.sample_rate is None or self.duration is None:
            raise UserError(
                f"{type(self).__name__} has waveforms, so it needs "
                f"sample_rate (is {self.sample_rate}) and duration (is "
                f"{self.duration})"
            )
        size = self.duration * self.sample_rate
        for name in self.waveform_fields:
            shape = getattr(self, name).shape
            if len(shape) != 2 or abs(shape[1] - size) > 1e-6:
                raise UserError(
                    f"{type(self).__name__}: waveforms {name} have shape "
                    f"{shape}, but {self.duration} s at "
                    f"{self.sample_rate} Hz are {size} samples"
                )

    @property
    def waveform_fields(self) -> list[str]:
        """Names of the columns that hold waveforms, in channel order."""
        columns = self.columns().items()
        return [name for name, kind in columns if kind == "waveform"]

    @classmethod
    def _metadata_of_selection(
        cls, metadata: dict[str, Any], length: int
    ) -> dict[str, Any]:
        # A selection that repeats rows can be longer than its source.
        count = max(metadata["num_injections"], length)
        return metadata | {"num_injections": count}
