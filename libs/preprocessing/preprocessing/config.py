"""The preprocessing that a network was trained with, as one object."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Real
from typing import Any, Self

from conventions.errors import UserError


def whole_samples(name: str, seconds: float, sample_rate: float) -> int:
    """Convert a length to samples, refusing to round.

    Args:
        name: how the user calls the length, for the error.
        seconds: the length in seconds.
        sample_rate: samples per second, in Hz.

    Returns:
        The number of samples.

    Raises:
        UserError: if the length is not a whole number of samples (to one
            part in a million of a sample).
    """
    samples = seconds * sample_rate
    size = round(samples)
    if not math.isclose(samples, size, rel_tol=1e-9, abs_tol=1e-6):
        raise UserError(
            f"{name} of {seconds} s is {samples:g} samples at "
            f"{sample_rate:g} Hz: it must be a whole number of samples"
        )
    return size


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UserError(f"{name}: {value!r} is not a number")
    number = float(value)
    if not math.isfinite(number) or number <= 0:
        raise UserError(f"{name}: {value!r} must be a positive number")
    return number


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What turns strain into the kernels that a network sees.

    Training writes it to the manifest; export, inference and search read it
    from there and nowhere else.

    Attributes:
        ifos: interferometers in channel order.
        sample_rate: of the strain, in Hz.
        kernel_length: of the network's input, in seconds.
        fduration: length of the whitening filter in seconds; half of it is
            cropped from each side of what is whitened.
        fftlength: of the segments of the PSD estimate, in seconds; by
            default ``kernel_length + fduration``.
        highpass: lower edge of the whitened band in Hz, None for none.
        lowpass: upper edge of the whitened band in Hz, None for none.

    Raises:
        UserError: on construction, naming the key, the value and what is
            accepted.
    """

    ifos: tuple[str, ...]
    sample_rate: float
    kernel_length: float
    fduration: float
    fftlength: float | None = None
    highpass: float | None = None
    lowpass: float | None = None

    def __post_init__(self) -> None:
        self._set("ifos", _ifos(self.ifos))
        for name in ("sample_rate", "kernel_length", "fduration"):
            self._set(name, _number(name, getattr(self, name)))
        if self.fftlength is None:
            self._set("fftlength", self.kernel_length + self.fduration)
        self._set("fftlength", _number("fftlength", self.fftlength))
        for name in ("highpass", "lowpass"):
            if getattr(self, name) is not None:
                self._set(name, _number(name, getattr(self, name)))
        for name in ("kernel_length", "fduration", "fftlength"):
            whole_samples(name, getattr(self, name), self.sample_rate)
        if self.fduration_size % 2:
            raise UserError(
                f"fduration of {self.fduration} s is {self.fduration_size} "
                f"samples at {self.sample_rate:g} Hz: it must be an even "
                "number, because half of it is cropped from each side"
            )
        self._check_band()

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_band(self) -> None:
        nyquist = self.sample_rate / 2
        low = self.highpass or 0.0
        if low >= nyquist:
            raise UserError(
                f"highpass: {low:g} Hz must be below the Nyquist frequency "
                f"{nyquist:g} Hz of sample_rate {self.sample_rate:g} Hz"
            )
        if self.lowpass is not None and not low < self.lowpass <= nyquist:
            raise UserError(
                f"lowpass: {self.lowpass:g} Hz must be above highpass "
                f"{low:g} Hz and at most the Nyquist frequency "
                f"{nyquist:g} Hz of sample_rate {self.sample_rate:g} Hz"
            )

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all settings."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Self:
        """Build from a mapping, for example one read from JSON.

        Args:
            settings: the settings by name; other names are ignored.

        Raises:
            UserError: if a setting is missing or invalid.
        """
        known = {k: settings[k] for k in cls.names() if k in settings}
        required = ("ifos", "sample_rate", "kernel_length", "fduration")
        missing = [name for name in required if name not in known]
        if missing:
            raise UserError(f"missing settings: {', '.join(missing)}")
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """Settings by name, ready for JSON."""
        return asdict(self) | {"ifos": list(self.ifos)}

    def size(self, name: str, seconds: float) -> int:
        """Convert the length called ``name`` to samples.

        Raises:
            UserError: if it is not a whole number of samples.
        """
        return whole_samples(name, seconds, self.sample_rate)

    @property
    def num_ifos(self) -> int:
        """Number of interferometers."""
        return len(self.ifos)

    @property
    def kernel_size(self) -> int:
        """Samples in a kernel."""
        return self.size("kernel_length", self.kernel_length)

    @property
    def fduration_size(self) -> int:
        """Samples in the whitening filter."""
        return self.size("fduration", self.fduration)

    @property
    def window_size(self) -> int:
        """Samples that whitening crops to one kernel."""
        return self.kernel_size + self.fduration_size


def _ifos(ifos: Any) -> tuple[str, ...]:
    if isinstance(ifos, str) or not all(isinstance(i, str) for i in ifos):
        raise UserError(
            f"ifos: {ifos!r} must be a list of names such as [H1, L1]"
        )
    names = tuple(ifos)
    if not names or len(set(names)) != len(names) or "" in names:
        raise UserError(
            f"ifos: {list(names)} must name at least one interferometer "
            "and each only once"
        )
    return names
