"""Simulated signals: their parameters, waveforms and place in the data."""

import math
from concurrent.futures import Executor
from dataclasses import dataclass, make_dataclass
from typing import Any, Self, TypeVar

import numpy as np
from conventions.errors import UserError

from ledger import shifts as shift_search
from ledger import storage
from ledger.ledger import PATH, Ledger, metadata, parameter, waveform
from ledger.parameters import (
    BilbyParameterSet,
    ExtrinsicParameterSet,
    IntrinsicParameterSet,
    LALParameterSet,
    chirp_mass,
)
from ledger.placement import add_waveform, first_samples
from ledger.shifts import Shifted

__all__ = [
    "BilbyParameterSet",
    "ExtrinsicParameterSet",
    "InjectionMetadata",
    "InjectionParameterSet",
    "InterferometerResponseSet",
    "IntrinsicParameterSet",
    "LALParameterSet",
    "WaveformPolarizationSet",
    "WaveformSet",
    "chirp_mass",
    "waveform_class_factory",
]

C = TypeVar("C", bound=Ledger)


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


@dataclass(eq=False)
class WaveformPolarizationSet(InjectionMetadata, BilbyParameterSet):
    """Binaries with their polarizations, each of shape (row, time)."""

    cross: np.ndarray = waveform()
    plus: np.ndarray = waveform()

    @classmethod
    def from_parameters(
        cls,
        params: BilbyParameterSet,
        minimum_frequency: float,
        reference_frequency: float,
        sample_rate: float,
        waveform_duration: float,
        waveform_approximant: str,
        right_pad: float,
        ex: Executor | None = None,
    ) -> Self:
        """Make the polarizations of some binaries.

        :class:`waveforms.generation.WaveformGenerator` makes them, so the
        library ``waveforms`` must be installed.

        Args:
            params: the binaries.
            minimum_frequency: where a waveform starts, in Hz; lower for
                masses whose waveforms start lower.
            reference_frequency: where spins and phase are given, in Hz.
            sample_rate: Hz.
            waveform_duration: length of a waveform in seconds.
            waveform_approximant: LAL's name of the model.
            right_pad: seconds from the coalescence to the right edge.
            ex: makes them in parallel, some at a time.

        Returns:
            The binaries with their polarizations; none counts as rejected.

        Raises:
            UserError: if a value is out of range or the model is unknown.
        """
        from waveforms.generation import BATCH, WaveformGenerator

        generator = WaveformGenerator(
            sample_rate,
            waveform_duration,
            right_pad,
            minimum_frequency,
            reference_frequency,
            waveform_approximant,
        )
        names = BilbyParameterSet.columns()
        binaries = BilbyParameterSet(
            **{name: getattr(params, name) for name in names}
        )
        # At least one batch: without binaries it gives the shape.
        starts = range(0, max(len(binaries), 1), BATCH)
        batches = [binaries[start : start + BATCH] for start in starts]
        made = (map if ex is None else ex.map)(generator, batches)
        plus, cross = (np.concatenate(one) for one in zip(*made, strict=True))
        return cls(
            **{name: getattr(binaries, name) for name in names},
            plus=plus,
            cross=cross,
            sample_rate=sample_rate,
            duration=waveform_duration,
            right_pad=right_pad,
            num_injections=len(binaries),
        )

    @property
    def waveform_duration(self) -> float:
        """Length of the waveforms in seconds."""
        return self.cross.shape[-1] / self.sample_rate

    def get_waveforms(self) -> np.ndarray:
        """Give cross and plus, shape (row, 2, time)."""
        return np.stack([self.cross, self.plus], axis=1)


@dataclass(eq=False)
class InjectionParameterSet(BilbyParameterSet):
    """Binaries with their signal-to-noise ratios.

    Attributes:
        snr: optimal SNR of the network, shape (row,).
        ifo_snrs: optimal SNR per ifo, shape (row, ifo).
        ifos: names of the ifos, in channel order.

    Raises:
        UserError: at construction, if ``ifos`` is no list of names.
    """

    snr: np.ndarray = parameter()
    ifo_snrs: np.ndarray = parameter()
    ifos: list[str] = metadata(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.ifos, list) or not all(
            isinstance(ifo, str) for ifo in self.ifos
        ):
            raise UserError(
                f"{type(self).__name__}: ifos is {self.ifos!r}, not a list "
                "of names"
            )


@dataclass(eq=False)
class WaveformSet(InjectionMetadata, InjectionParameterSet):
    """Binaries with the response of each ifo.

    :func:`waveform_class_factory` makes subclasses that have the ifos'
    waveforms; without them only parameters are read.

    Raises:
        UserError: at construction, if ``ifos`` and the waveforms differ.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [ifo.lower() for ifo in self.ifos]
        if names and self.waveform_fields not in ([], names):
            raise UserError(
                f"{type(self).__name__} has the waveforms "
                f"{self.waveform_fields}, but ifos is {self.ifos}"
            )

    @property
    def waveforms(self) -> np.ndarray:
        """The waveforms of all ifos, stacked: (row, ifo, time)."""
        self._need_waveforms()
        columns = [getattr(self, name) for name in self.waveform_fields]
        return np.stack(columns, axis=1)

    def _need_waveforms(self) -> None:
        if not self.waveform_fields:
            raise UserError(
                f"{type(self).__name__} has no waveforms; read them with a "
                "class of waveform_class_factory(ifos, ...)"
            )


@dataclass(eq=False)
class InterferometerResponseSet(Shifted, WaveformSet):
    """Waveforms with their place in (time-shifted) data.

    Attributes:
        injection_time: geocentric coalescence time in GPS seconds, as read
            in the shifted data, shape (row,).
        shift: seconds by which each ifo is read later, shape (row, ifo).
    """

    injection_time: np.ndarray = parameter()
    shift: np.ndarray = parameter()

    def get_times(
        self, start: float | None = None, end: float | None = None
    ) -> Self:
        """Choose the rows that coalesce in [start, end).

        Args:
            start: GPS seconds.
            end: GPS seconds.

        Raises:
            UserError: if neither is given.
        """
        if start is None and end is None:
            raise UserError("get_times needs a start, an end, or both")
        mask = np.ones(len(self), dtype=bool)
        if start is not None:
            mask &= self.injection_time >= start
        if end is not None:
            mask &= self.injection_time < end
        return self[mask]

    @classmethod
    def read(
        cls,
        fname: PATH,
        start: float | None = None,
        end: float | None = None,
        shifts: np.ndarray | None = None,
    ) -> Self:
        """Read the rows whose waveforms reach into a stretch of data.

        Args:
            fname: the file.
            start: beginning of the stretch in GPS seconds.
            end: end of the stretch in GPS seconds.
            shifts: seconds, one shift of shape (ifo,) or several of shape
                (shift, ifo).

        Returns:
            The rows, in their order. Only they are read.

        Raises:
            UserError: if the file is missing, truncated or foreign, or has
                shifts for another number of ifos.
        """
        if start is None and end is None and shifts is None:
            return super().read(fname)
        with storage.opened(fname) as file:
            length = storage.read_length(file)
            mask = np.ones(length, dtype=bool)
            if shifts is not None and length:
                column = storage.find_column(
                    file, "parameter", "shift", length
                )
                mask &= shift_search.matches(column.read(), shifts)
            if length and not (start is None and end is None):
                column = storage.find_column(
                    file, "parameter", "injection_time", length
                )
                mask &= _reach(
                    column.read(),
                    cls._metadata_from_file(file, length),
                    fname,
                    -np.inf if start is None else start,
                    np.inf if end is None else end,
                )
            return cls._from_file(file, np.flatnonzero(mask))

    def inject(self, x: np.ndarray, start: float) -> np.ndarray:
        """Add the waveforms to data.

        Waveforms are placed to the nearest sample. Those that cross an edge
        are added as far as they reach in, so that data can be handed over
        in batches of any size: the sum is the same, sample for sample.

        Args:
            x: strain of shape (ifo, time) at the waveforms' sample rate.
            start: GPS time of its first sample.

        Returns:
            A new array of the shape and dtype of ``x``.

        Raises:
            UserError: if the ifos of ``x`` and of the waveforms differ in
                number, or there are no waveforms to add.
        """
        self._need_waveforms()
        names = self.waveform_fields
        if x.ndim != 2 or len(x) != len(names):
            raise UserError(
                f"data of shape {x.shape} cannot take the waveforms of "
                f"{', '.join(names)}; shape (ifo, time) is needed"
            )
        x = x.copy()
        if not len(self):
            return x
        if self.right_pad is None:
            raise UserError(
                f"{type(self).__name__} has no right_pad, so the place of "
                "the coalescence in its waveforms is unknown"
            )
        first = first_samples(
            self.injection_time,
            start,
            self.sample_rate,
            self.duration - self.right_pad,
        )
        for channel, name in zip(x, names, strict=True):
            waveforms = getattr(self, name)
            reach = first + waveforms.shape[1]
            for row in np.flatnonzero((reach > 0) & (first < len(channel))):
                add_waveform(channel, waveforms[row], int(first[row]))
        return x


def _reach(
    times: np.ndarray,
    metadata: dict[str, Any],
    fname: PATH,
    start: float,
    end: float,
) -> np.ndarray:
    """Find the waveforms that reach into [start, end), to a sample."""
    needed = ("sample_rate", "duration", "right_pad")
    missing = [name for name in needed if metadata[name] is None]
    if missing:
        raise UserError(f"{fname}: no root attribute {', '.join(missing)}")
    rate, duration, right_pad = (metadata[name] for name in needed)
    last = times + right_pad + 1 / rate
    first = times - (duration - right_pad) - 1 / rate
    return (last >= start) & (first <= end)


def waveform_class_factory(
    ifos: list[str], base_cls: type[C], cls_name: str
) -> type[C]:
    """Make a ledger class that has one waveform column per ifo.

    Args:
        ifos: names of the ifos, in channel order; the columns have the
            lower-case names.
        base_cls: class to extend, such as :class:`WaveformSet`.
        cls_name: name of the new class.

    Raises:
        UserError: if an ifo is named twice.
    """
    names = [ifo.lower() for ifo in ifos]
    if len(set(names)) < len(names):
        raise UserError(f"ifos {ifos} name an interferometer twice")
    return make_dataclass(
        cls_name,
        [(name, np.ndarray, waveform()) for name in names],
        bases=(base_cls,),
        eq=False,
    )
