"""Parameters of compact binaries to time series of their polarizations."""

from dataclasses import dataclass
from functools import cached_property

import lal
import numpy as np
import scipy.fft
from conventions.errors import UserError
from ledger.injections import BilbyParameterSet

from waveforms.approximants import (
    find_approximant,
    frequency_series,
    in_frequency_domain,
    lal_arguments,
    time_series,
)
from waveforms.chirp import (
    frequency_before_coalescence,
    starting_frequency,
    time_to_coalescence,
)

BATCH = 64
RINGDOWN = 300.0
"""Length of a ringdown, in units of the total mass."""
RINGDOWN_SPACE = 1 / 8
"""Fraction of the duration that a ringdown has beyond the right edge."""
TAPER_BAND = 0.8
"""A waveform is switched on from this fraction of its lowest frequency."""
WINDOW_USE = 0.95
"""Fraction of a period that a signal may fill."""
EDGE_TAPER = 1 / 32
"""Fraction of the duration over which a cut inspiral is switched on."""


@dataclass(frozen=True)
class WaveformGenerator:
    """Makes polarizations with LAL, all of one length.

    The coalescence lies ``right_pad`` seconds before the right edge. A
    waveform contains all frequencies from ``minimum_frequency`` on (or from
    1899 Hz over the total mass in solar masses, where that is lower; the
    reference frequency is then lowered to it, too). Below, down to 0.8
    times that frequency, it is switched on smoothly. What reaches back
    beyond the left edge is cut there, with a half-cosine ramp of 1/32 of
    the duration.

    Models of the frequency domain are evaluated on a grid whose period is
    the duration or twice that, whichever holds the signal from its first to
    its last cycle, so that nothing wraps around. Models of the time domain
    are conditioned by LAL (``SimInspiralTD``) and moved by a fraction of a
    sample in the frequency domain.

    Attributes:
        sample_rate: Hz.
        duration: length of a waveform in s.
        right_pad: time from the coalescence to the right edge in s.
        minimum_frequency: Hz.
        reference_frequency: where spins and phase are defined, in Hz.
        approximant: LAL's name of the model.

    Raises:
        UserError: if a value is out of range or the model is unknown.
    """

    sample_rate: float
    duration: float
    right_pad: float
    minimum_frequency: float
    reference_frequency: float
    approximant: str

    def __post_init__(self) -> None:
        for name in (
            *("sample_rate", "duration"),
            *("minimum_frequency", "reference_frequency"),
        ):
            if not getattr(self, name) > 0:
                raise UserError(
                    f"{name} is {getattr(self, name)}; it must be positive"
                )
        samples = self.duration * self.sample_rate
        if abs(samples - round(samples)) > 1e-6 or round(samples) % 2:
            raise UserError(
                f"waveform_duration {self.duration} s at sample_rate "
                f"{self.sample_rate} Hz is {samples} samples; an even whole "
                "number is needed"
            )
        if not 0 <= self.right_pad < self.duration:
            raise UserError(
                f"right_pad is {self.right_pad} s; it must be at least 0 and "
                f"less than the waveform_duration of {self.duration} s"
            )
        if not self.minimum_frequency < self.sample_rate / 2:
            raise UserError(
                f"minimum_frequency {self.minimum_frequency} Hz is not below "
                f"half the sample_rate of {self.sample_rate} Hz"
            )
        find_approximant(self.approximant)

    @cached_property
    def model(self) -> int:
        """LAL's number of the approximant."""
        return find_approximant(self.approximant)

    @property
    def size(self) -> int:
        """Samples in a waveform."""
        return round(self.duration * self.sample_rate)

    def frequencies(
        self, parameters: BilbyParameterSet
    ) -> tuple[np.ndarray, np.ndarray]:
        """Minimum and reference frequency of each binary.

        Args:
            parameters: N binaries.

        Returns:
            Minimum and reference frequencies in Hz, each of shape (N,).
        """
        minimum = starting_frequency(
            self.minimum_frequency, parameters.total_mass
        )
        lowered = minimum < self.minimum_frequency
        reference = np.where(lowered, minimum, self.reference_frequency)
        return minimum, reference

    def __call__(
        self, parameters: BilbyParameterSet
    ) -> tuple[np.ndarray, np.ndarray]:
        """Make the polarizations of some binaries.

        Args:
            parameters: N binaries.

        Returns:
            plus and cross, float64, each of shape (N, size).

        Raises:
            UserError: if LAL cannot make one of the waveforms.
        """
        plus = np.empty((len(parameters), self.size))
        cross = np.empty_like(plus)
        make = (
            self._from_frequency_domain
            if in_frequency_domain(self.model)
            else self._from_time_domain
        )
        for start in range(0, len(parameters), BATCH):
            rows = slice(start, start + BATCH)
            plus[rows], cross[rows] = make(parameters[rows])
        ramp = round(self.size * EDGE_TAPER)
        edge = np.sin(np.pi / 2 * np.arange(ramp) / ramp) ** 2
        plus[:, :ramp] *= edge
        cross[:, :ramp] *= edge
        return plus, cross

    def _from_frequency_domain(
        self, parameters: BilbyParameterSet
    ) -> np.ndarray:
        minimum, reference = self.frequencies(parameters)
        binary = (
            *(parameters.mass_1, parameters.mass_2),
            parameters.a_1 * np.cos(parameters.tilt_1),
            parameters.a_2 * np.cos(parameters.tilt_2),
        )
        arguments = list(lal_arguments(parameters, reference))
        tail = RINGDOWN * lal.MTSUN_SI * parameters.total_mass
        inspiral = time_to_coalescence(TAPER_BAND * minimum, *binary)
        fits = inspiral < WINDOW_USE * (self.duration - self.right_pad)
        fits &= tail <= self.right_pad
        result = np.empty((2, len(parameters), self.size))
        for periods, rows in (
            (1, np.flatnonzero(fits)),
            (2, np.flatnonzero(~fits)),
        ):
            if not len(rows):
                continue
            some = tuple(values[rows] for values in binary)
            period = periods * self.duration
            first = self._first_sample(periods)
            coalescence = (
                first / self.sample_rate + self.duration - self.right_pad
            )
            start = np.maximum(
                TAPER_BAND * minimum[rows],
                frequency_before_coalescence(WINDOW_USE * coalescence, *some),
            )
            full = np.maximum(
                minimum[rows],
                frequency_before_coalescence(
                    self.duration - self.right_pad, *some
                ),
            )
            spectra = self._spectra(
                [arguments[row] for row in rows],
                reference[rows],
                1 / period,
                start,
                full,
            )
            grid = np.arange(spectra.shape[-1]) / period
            spectra *= np.exp(-2j * np.pi * grid * coalescence)
            series = scipy.fft.irfft(spectra, overwrite_x=True)
            result[:, rows] = series[..., first : first + self.size]
        return result * self.sample_rate

    def _first_sample(self, periods: int) -> int:
        """Where the waveform starts in the period that is computed."""
        if periods == 1:
            return 0
        return self.size - round(self.size * RINGDOWN_SPACE)

    def _spectra(
        self,
        arguments: list[tuple[float, ...]],
        reference: np.ndarray,
        delta_f: float,
        start: np.ndarray,
        full: np.ndarray,
    ) -> np.ndarray:
        """Plus and cross, (2, N, frequency), rising from start to full."""
        nyquist = self.sample_rate / 2
        bins = round(nyquist / delta_f) + 1
        spectra = np.zeros((2, len(arguments), bins), dtype=complex)
        for row, binary in enumerate(arguments):
            polarizations = frequency_series(
                self.model,
                binary,
                delta_f=delta_f,
                start=start[row],
                maximum_frequency=nyquist,
                reference_frequency=reference[row],
            )
            low, high = (
                int(np.ceil(edge / delta_f))
                for edge in (start[row], max(full[row], start[row]))
            )
            ramp = (np.arange(low, high) * delta_f - start[row]) / max(
                full[row] - start[row], delta_f
            )
            for spectrum, values in zip(
                spectra[:, row], polarizations, strict=True
            ):
                count = min(len(values), bins)
                spectrum[low:count] = values[low:count]
                spectrum[low:high] *= np.sin(np.pi / 2 * ramp) ** 2
        spectra[..., -1] = 0
        return spectra

    def _from_time_domain(self, parameters: BilbyParameterSet) -> np.ndarray:
        minimum, reference = self.frequencies(parameters)
        result = np.zeros((2, len(parameters), self.size))
        arguments = lal_arguments(parameters, reference)
        for row, binary in enumerate(arguments):
            *polarizations, epoch = time_series(
                self.model,
                binary,
                delta_t=1 / self.sample_rate,
                start=minimum[row],
                reference_frequency=reference[row],
            )
            for waveform, values in zip(
                result[:, row], polarizations, strict=True
            ):
                waveform[:] = self._placed(values, epoch)
        return result

    def _placed(self, series: np.ndarray, epoch: float) -> np.ndarray:
        """Put a series that starts at ``epoch`` in place, cut or padded."""
        start = (epoch + self.duration - self.right_pad) * self.sample_rate
        whole = int(np.floor(start))
        length = scipy.fft.next_fast_len(len(series) + 64, real=True)
        spectrum = scipy.fft.rfft(series, length)
        delay = np.fft.rfftfreq(length) * (start - whole)
        moved = scipy.fft.irfft(spectrum * np.exp(-2j * np.pi * delay), length)
        placed = np.zeros(self.size)
        begin, end = max(whole, 0), min(whole + length, self.size)
        if end > begin:
            placed[begin:end] = moved[begin - whole : end - whole]
        return placed
