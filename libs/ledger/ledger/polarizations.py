"""Binaries with their polarizations."""

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Self

import numpy as np

from ledger.injection_metadata import InjectionMetadata
from ledger.ledger import waveform
from ledger.parameters import BilbyParameterSet


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
