"""Signals made while training, each one new."""

from pathlib import Path

import numpy as np
import torch
from conventions.errors import UserError
from torch import Tensor

from train.waveforms.polarizations import Polarizations
from train.waveforms.prior import Prior
from train.waveforms.sampler import Drawn, WaveformSampler

DISTANCE = 1000.0
"""Mpc; of no consequence, as signals are scaled to a drawn SNR."""


class CBCGenerator(WaveformSampler):
    """Makes compact binaries of a prior on the device that trains.

    Parameters have bilby's names (science.md, Units and names). All
    approximants need ``mass_1`` and ``mass_2`` (detector frame, solar
    masses), ``theta_jn`` and ``phase``; IMRPhenomPv2 ``a_1``, ``a_2``,
    ``tilt_1``, ``tilt_2``, ``phi_12`` and ``phi_jl``; the others ``chi_1``
    and ``chi_2``.

    The polarizations agree with those that LAL makes for the files of
    waveforms, relative to the largest sample of each waveform, to 2e-3
    (IMRPhenomD), 1e-2 (IMRPhenomPv2, at mass ratios of at least 1/8) and
    5e-3 (TaylorF2); to 1e-2 in the first eighth, where an inspiral that is
    longer than the waveform is switched on.

    Args:
        approximant: ``IMRPhenomD``, ``IMRPhenomPv2`` or ``TaylorF2``.
        prior: of the parameters.
        waveform_duration: in seconds.
        right_pad: from the coalescence to the waveform's right edge, in
            seconds.
        minimum_frequency: in Hz; heavy binaries start lower.
        reference_frequency: where spins and phase are defined, in Hz.

    Raises:
        UserError: if the prior rejects nearly everything or lacks a
            parameter.
    """

    def __init__(
        self,
        approximant: str,
        prior: Prior,
        waveform_duration: float = 8.0,
        right_pad: float = 2.0,
        minimum_frequency: float = 20.0,
        reference_frequency: float = 50.0,
    ) -> None:
        super().__init__()
        self.approximant = approximant
        self.prior = prior
        self.waveform_duration = waveform_duration
        self.right_pad = right_pad
        self.minimum_frequency = minimum_frequency
        self.reference_frequency = reference_frequency

    def prepare(self, directory: Path, sample_rate: float) -> None:
        """Check the settings, and draw a binary.

        Raises:
            UserError: if a setting is out of range, or a parameter is
                missing or no number.
        """
        self.polarizations = Polarizations(
            self.approximant,
            sample_rate,
            self.waveform_duration,
            self.right_pad,
            self.minimum_frequency,
            self.reference_frequency,
        )
        self.size = self.polarizations.size
        self.coalescence = self.polarizations.coalescence
        waveform = self(self.draw(1, np.random.default_rng(0)))
        if not torch.isfinite(waveform).all():
            raise UserError(
                f"prior: {self.approximant} has no waveform for a binary "
                "that was drawn; is mass_1 at least mass_2, and no spin "
                "above 1?"
            )

    def draw(self, count: int, rng: np.random.Generator) -> Drawn:
        """Draw parameters, those alone that the approximant needs.

        Raises:
            UserError: if one is missing.
        """
        parameters = self.prior.sample(count, rng)
        distance = torch.full((count,), DISTANCE, dtype=torch.float64)
        parameters["luminosity_distance"] = distance
        names = self.polarizations.names
        missing = [name for name in names if name not in parameters]
        if missing:
            raise UserError(
                f"prior: {self.approximant} needs {', '.join(missing)} too; "
                f"there are {', '.join(parameters)}"
            )
        return {name: parameters[name] for name in names}

    def forward(self, drawn: Drawn) -> Tensor:
        """Make the polarizations of drawn binaries."""
        return self.polarizations(drawn)
