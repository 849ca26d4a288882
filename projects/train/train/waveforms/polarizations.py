"""Polarizations of compact binaries, made by torch on any device.

The conventions are those of the waveforms on disk (science.md, Waveforms
and injections), so that a training may take its signals from either.
"""

import math

import torch
from conventions.errors import UserError
from ml4gw.constants import MTSUN_SI
from ml4gw.waveforms import IMRPhenomD, IMRPhenomPv2, TaylorF2
from ml4gw.waveforms.conversion import bilby_spins_to_lalsim
from torch import Tensor, nn

COMMON = ("mass_1", "mass_2", "theta_jn", "phase", "luminosity_distance")
ALIGNED = (*COMMON, "chi_1", "chi_2")
SPINS = ("a_1", "a_2", "tilt_1", "tilt_2", "phi_12", "phi_jl")
PRECESSING = (*COMMON, *SPINS)
SPIN_COMPONENTS = (*("inclination", "s1x", "s1y", "s1z", "s2x", "s2y", "s2z"),)
APPROXIMANTS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "IMRPhenomD": (IMRPhenomD, ALIGNED),
    "IMRPhenomPv2": (IMRPhenomPv2, PRECESSING),
    "TaylorF2": (TaylorF2, ALIGNED),
}
INSPIRAL_LIMIT = 1899.0
"""Solar masses times Hz: total mass times the highest starting frequency."""
TAPER_BAND = 0.8
"""A waveform is switched on from this fraction of its lowest frequency."""
RINGDOWN_SPACE = 1 / 8
"""Fraction of the duration that is computed beyond the right edge."""
EDGE_TAPER = 1 / 32
"""Fraction of the duration over which a cut inspiral is switched on."""
MOST_EQUAL = 1 - 1e-7
"""Largest ratio of masses."""
LEAST = 1e-4
"""In-plane spin that is told from none."""
MARGIN = 1.2
"""Bound of the time to coalescence over that of the leading order."""


def frequency_before_coalescence(time: float, chirp_mass: Tensor) -> Tensor:
    """Frequency some time before the coalescence, to leading order.

    Args:
        time: to the coalescence, in s.
        chirp_mass: in the detector frame, in solar masses.

    Returns:
        (5 / (256 t))^(3/8) (G M / c^3)^(-5/8) / pi, in Hz, of the shape of
        ``chirp_mass``; Maggiore, Gravitational Waves, eq. 4.20.
    """
    seconds = MTSUN_SI * chirp_mass
    return (5 / (256 * time)) ** 0.375 * seconds**-0.625 / math.pi


class Polarizations(nn.Module):
    """Make time series of models that ml4gw has over frequency.

    All binaries of a batch are made at once, in double precision, on a grid
    whose period is twice the duration. A waveform contains all frequencies
    from ``minimum_frequency`` on (or from 1899 Hz over the total mass in
    solar masses, where that is lower; the reference frequency is then
    lowered to it, too). Below, down to 0.8 times that frequency, it is
    switched on smoothly. What reaches back beyond the left edge is cut
    there, with a half-cosine ramp of 1/32 of the duration.

    Args:
        approximant: ``IMRPhenomD``, ``IMRPhenomPv2`` or ``TaylorF2``.
        sample_rate: in Hz.
        duration: of a waveform, in seconds.
        right_pad: from the coalescence to the right edge, in seconds.
        minimum_frequency: in Hz.
        reference_frequency: where phase and spins are defined, in Hz.

    Attributes:
        names: parameters that the model needs, by bilby's names: masses in
            the detector frame, in solar masses; angles in rad; the distance
            in Mpc.
        size: samples of a waveform.
        coalescence: sample of the coalescence.

    Raises:
        UserError: if a setting is out of range or the model is unknown.
    """

    def __init__(
        self,
        approximant: str,
        sample_rate: float,
        duration: float,
        right_pad: float,
        minimum_frequency: float,
        reference_frequency: float,
    ) -> None:
        super().__init__()
        if approximant not in APPROXIMANTS:
            raise UserError(
                f"approximant: {approximant!r} is not one of "
                f"{', '.join(APPROXIMANTS)}"
            )
        self.size = round(duration * sample_rate)
        if self.size % 2 or abs(duration * sample_rate - self.size) > 1e-6:
            raise UserError(
                f"waveform_duration: {duration} s is "
                f"{duration * sample_rate:g} samples at {sample_rate:g} Hz: "
                "it must be an even whole number"
            )
        if not 0 <= right_pad < duration:
            raise UserError(
                f"right_pad: {right_pad} s must be at least 0 and less than "
                f"waveform_duration {duration} s"
            )
        if not 0 < minimum_frequency < sample_rate / 2:
            raise UserError(
                f"minimum_frequency: {minimum_frequency} Hz must lie between "
                f"0 and the Nyquist frequency {sample_rate / 2:g} Hz"
            )
        if not reference_frequency > 0:
            raise UserError(
                f"reference_frequency: {reference_frequency} Hz must be "
                "positive"
            )
        model, self.names = APPROXIMANTS[approximant]
        self.model = model().double()
        self.sample_rate = sample_rate
        self.duration = duration
        self.right_pad = right_pad
        self.minimum_frequency = minimum_frequency
        self.reference_frequency = reference_frequency
        self.coalescence = self.size - round(right_pad * sample_rate)
        self.first = self.size - round(self.size * RINGDOWN_SPACE)
        frequencies = torch.arange(1, self.size, dtype=torch.float64)
        self.register_buffer("frequencies", frequencies / (2 * duration))
        ramp = round(self.size * EDGE_TAPER)
        phase = torch.arange(ramp, dtype=torch.float64) / ramp
        self.register_buffer("edge", torch.sin(math.pi / 2 * phase) ** 2)

    def forward(self, parameters: dict[str, Tensor]) -> Tensor:
        """Make the polarizations of N binaries.

        Args:
            parameters: those of ``names``, each of shape ``(N,)``.

        Returns:
            plus and cross, of shape ``(N, 2, size)``, float32.
        """
        given = {name: parameters[name].double() for name in self.names}
        total = given["mass_1"] + given["mass_2"]
        minimum = (INSPIRAL_LIMIT / total).clamp(max=self.minimum_frequency)
        reference = torch.where(
            minimum < self.minimum_frequency, minimum, self.reference_frequency
        )
        if not len(total):
            return total.new_zeros(0, 2, self.size).float()
        values = self._arguments(given, reference)
        window = self._window(minimum, values["chirp_mass"])
        # below the lowest of all nothing is computed
        skip = int((window.amax(0) == 0).long().cumprod(0).sum())
        used = self.frequencies[skip:]
        cross, plus = self.model(used, **values)
        time = self.first / self.sample_rate + self.duration - self.right_pad
        shift = torch.polar(window[:, skip:], -2 * math.pi * time * used)
        spectra = torch.stack([plus, cross], dim=1) * shift[:, None]
        spectra = nn.functional.pad(spectra, (1 + skip, 1))
        series = torch.fft.irfft(spectra) * self.sample_rate
        series = series[..., self.first : self.first + self.size]
        series[..., : len(self.edge)] *= self.edge
        return series.float()

    def _arguments(
        self, given: dict[str, Tensor], reference: Tensor
    ) -> dict[str, Tensor]:
        """Arguments of ml4gw's model."""
        names = "mass_1", "mass_2", "theta_jn", "phase"
        mass_1, mass_2, theta_jn, phase = (given[name] for name in names)
        total = mass_1 + mass_2
        arguments = {
            "chirp_mass": (mass_1 * mass_2) ** 0.6 / total**0.2,
            # closer to 1, rounding makes sqrt(1 - 4 eta) of ml4gw no number
            "mass_ratio": (mass_2 / mass_1).clamp(max=MOST_EQUAL),
            "distance": given["luminosity_distance"],
            "phic": phase,
        }
        if self.names == ALIGNED:
            return arguments | {
                "chi1": given["chi_1"],
                "chi2": given["chi_2"],
                "inclination": theta_jn,
                "f_ref": reference[:, None],
            }
        return arguments | self._spins(given, reference)

    @staticmethod
    def _spins(
        given: dict[str, Tensor], reference: Tensor
    ) -> dict[str, Tensor]:
        """Inclination of the orbit and components of the spins."""
        # only the product of mass and frequency matters to the angles, and
        # ml4gw takes one frequency for all
        angles = bilby_spins_to_lalsim(
            theta_jn=given["theta_jn"],
            mass_1=given["mass_1"] * reference,
            mass_2=given["mass_2"] * reference,
            f_ref=1.0,
            phi_ref=given["phase"],
            **{name: given[name] for name in SPINS},
        )
        values = dict(zip(SPIN_COMPONENTS, angles, strict=True))
        # ml4gw's azimuths have no meaning for spins along the axis: those
        # become spins that are inclined by next to nothing
        in_plane = torch.stack([values[name] for name in SPIN_COMPONENTS[1:]])
        aligned = in_plane.view(2, 3, -1)[:, :2].abs().amax((0, 1)) < LEAST
        along = {
            "inclination": given["theta_jn"],
            "s1x": torch.full_like(reference, LEAST),
            "s1y": torch.zeros_like(reference),
            "s1z": given["a_1"] * torch.cos(given["tilt_1"]),
            "s2x": torch.zeros_like(reference),
            "s2y": torch.zeros_like(reference),
            "s2z": given["a_2"] * torch.cos(given["tilt_2"]),
        }
        values = {
            name: torch.where(aligned, along[name], value)
            for name, value in values.items()
        }
        return values | {"f_ref": reference}

    def _window(self, minimum: Tensor, chirp_mass: Tensor) -> Tensor:
        """Share of each frequency that is kept, of shape (N, frequency)."""
        held = self.first / self.sample_rate + self.duration - self.right_pad
        seen = self.duration - self.right_pad
        start = torch.maximum(
            TAPER_BAND * minimum,
            frequency_before_coalescence(held / MARGIN, chirp_mass),
        )
        full = torch.maximum(
            minimum,
            frequency_before_coalescence(MARGIN * seen, chirp_mass),
        )
        start, full = start[:, None], torch.maximum(start, full)[:, None]
        width = (full - start).clamp(min=1 / (2 * self.duration))
        phase = ((self.frequencies - start) / width).clamp(0, 1)
        return torch.sin(math.pi / 2 * phase) ** 2
