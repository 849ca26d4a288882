"""Lowers the sample rate of strain without aliasing."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from conventions.errors import UserError
from scipy.signal import firwin, kaiserord, resample_poly

PASSBAND = 0.9
ATTENUATION_DB = 100.0
MAX_RATIO = 100_000


@dataclass(frozen=True)
class Resampler:
    """Zero-phase polyphase resampling to a lower rate.

    The anti-alias filter is a Kaiser-windowed sinc (Oppenheim and Schafer,
    Discrete-Time Signal Processing, section 7.6): flat up to 0.9 of the
    new Nyquist frequency and at least 100 dB down from there on up. Samples
    are numbered from GPS 0, so that all channels come out on one grid
    whatever their rate and start.

    Attributes:
        rate: of the input, in Hz.
        new_rate: of the output, in Hz, not above ``rate``.

    Raises:
        UserError: if ``new_rate`` is above ``rate`` or their ratio is not
            one of reasonably small whole numbers.
    """

    rate: float
    new_rate: float

    def __post_init__(self) -> None:
        if self.rate < self.new_rate:
            raise UserError(
                f"a sample rate of {self.rate:g} Hz is below the network's "
                f"{self.new_rate:g} Hz: the missing band cannot be restored"
            )
        if max(self.ratio.numerator, self.ratio.denominator) > MAX_RATIO:
            raise UserError(
                f"a sample rate of {self.rate!r} Hz cannot be resampled to "
                f"{self.new_rate!r} Hz: their ratio is not one of small "
                "whole numbers"
            )

    @cached_property
    def ratio(self) -> Fraction:
        """``new_rate / rate`` in lowest terms."""
        return Fraction(self.new_rate) / Fraction(self.rate)

    @cached_property
    def taps(self) -> np.ndarray:
        """The filter, at ``ratio.numerator`` times the input's rate."""
        nyquist = self.new_rate / 2
        fast = self.rate * self.ratio.numerator
        width = (1 - PASSBAND) * nyquist
        count, beta = kaiserord(ATTENUATION_DB, width / (fast / 2))
        return firwin(
            count | 1, nyquist - width / 2, window=("kaiser", beta), fs=fast
        )

    @property
    def edge(self) -> int:
        """Output samples at each end that the filter's reach spoils."""
        if self.ratio == 1:
            return 0
        reach = len(self.taps) // 2
        return -(-reach // self.ratio.denominator)

    def __call__(
        self, first: int, strain: np.ndarray
    ) -> tuple[int, np.ndarray]:
        """Resample one stretch without gaps.

        Args:
            first: number of the first sample, counted from GPS 0 at
                ``rate``.
            strain: of shape ``(time,)``.

        Returns:
            Number of the first output sample, counted from GPS 0 at
            ``new_rate``, and the output of shape ``(time,)``, empty when
            the input is no longer than the filter.
        """
        if self.ratio == 1:
            return first, strain
        up, down = self.ratio.numerator, self.ratio.denominator
        aligned = -(-first // down) * down
        strain = strain[aligned - first :]
        first = aligned // down * up + self.edge
        if len(strain) * up <= 2 * self.edge * down:
            return first, np.empty(0)
        resampled = resample_poly(strain, up, down, window=self.taps)
        last = ((len(strain) - 1) * up) // down
        return first, resampled[self.edge : last + 1 - self.edge]
