"""Draws of binaries from a named prior, all or those that are loud."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import priors
from conventions.errors import UserError
from ledger.injections import BilbyParameterSet
from priors.sampling import draw
from waveforms.generation import WaveformGenerator
from waveforms.rejection import RejectionSampler

from datagen.noise import network_psds


def binary_drawer(
    name: str, arguments: Mapping[str, Any] | None
) -> Callable[[int], BilbyParameterSet]:
    """Make the function that draws binaries from a prior.

    Args:
        name: dotted name of a prior function.
        arguments: its keyword arguments.

    Returns:
        A function of a number of draws; masses are those of the detector
        frame.

    Raises:
        UserError: if there is no such prior, or it lacks a parameter.
    """
    prior, detector_frame_prior = priors.load(name, arguments)
    needed = BilbyParameterSet.columns()
    missing = [parameter for parameter in needed if parameter not in prior]
    if missing:
        raise UserError(
            f"prior {name!r} says nothing about {', '.join(missing)}; "
            "waveforms need them"
        )

    def draw_binaries(count: int) -> BilbyParameterSet:
        sample = draw(prior, detector_frame_prior, count)
        return BilbyParameterSet(**{key: sample[key] for key in needed})

    return draw_binaries


def rejection_sampler(
    generator: WaveformGenerator,
    prior: str,
    prior_arguments: Mapping[str, Any] | None,
    *,
    background: Sequence[Path],
    ifos: Sequence[str],
    highpass: float | None,
    lowpass: float | None,
    fftlength: float | None,
    snr_threshold: float,
) -> RejectionSampler:
    """Set up rejection sampling under the PSD of background files.

    Args:
        generator: makes the polarizations.
        prior: dotted name of a prior function.
        prior_arguments: its keyword arguments.
        background: files whose median PSD the SNRs refer to.
        ifos: interferometers.
        highpass: lowest frequency that counts for SNRs in Hz.
        lowpass: highest frequency that counts in Hz; None for Nyquist.
        fftlength: length of the segments of the PSD estimate in s.
        snr_threshold: smallest network SNR that is kept.

    Returns:
        The sampler.

    Raises:
        UserError: for a prior, a file or a setting that cannot be used.
    """
    psds = network_psds(
        background,
        ifos,
        sample_rate=generator.sample_rate,
        duration=generator.duration,
        fftlength=fftlength,
        highpass=highpass,
        lowpass=lowpass,
    )
    return RejectionSampler(
        draw=binary_drawer(prior, prior_arguments),
        generator=generator,
        ifos=ifos,
        psds=psds,
        snr_threshold=snr_threshold,
        highpass=highpass,
        lowpass=lowpass,
        source=repr(prior),
    )
