"""Simulated signals: their parameters, waveforms and place in the data."""

from ledger.injection_metadata import InjectionMetadata
from ledger.parameters import (
    BilbyParameterSet,
    ExtrinsicParameterSet,
    IntrinsicParameterSet,
    LALParameterSet,
    chirp_mass,
)
from ledger.polarizations import WaveformPolarizationSet
from ledger.responses import InterferometerResponseSet
from ledger.waveform_set import (
    InjectionParameterSet,
    WaveformSet,
    waveform_class_factory,
)

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
