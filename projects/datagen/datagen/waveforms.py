"""Simulated signals: for training, validation and the search."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from conventions.errors import UserError
from conventions.progress import Progress, silent
from ledger.injections import (
    InterferometerResponseSet,
    WaveformPolarizationSet,
    WaveformSet,
    waveform_class_factory,
)
from ledger.ledger import Ledger
from priors.sampling import seeded
from waveforms.generation import WaveformGenerator
from waveforms.rejection import RejectionSample

from datagen.drawing import binary_drawer, rejection_sampler
from datagen.injections import injection_times, stable_seed
from datagen.merging import merge

__all__ = [
    "merge",
    "testing_waveforms",
    "training_waveforms",
    "validation_waveforms",
]

ROWS_AT_ONCE = 512


def training_waveforms(
    output: Path,
    *,
    prior: str,
    num_signals: int,
    sample_rate: float,
    waveform_duration: float,
    right_pad: float,
    minimum_frequency: float,
    reference_frequency: float,
    waveform_approximant: str,
    seed: int,
    prior_arguments: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> None:
    """Draw signals and write their polarizations.

    Args:
        output: file to be written, a ``WaveformPolarizationSet`` in single
            precision.
        prior: dotted name of a prior function.
        num_signals: how many signals.
        sample_rate: Hz.
        waveform_duration: length of a waveform in s.
        right_pad: from the coalescence to the waveform's end in s.
        minimum_frequency: where waveforms start in Hz.
        reference_frequency: where the spins are given in Hz.
        waveform_approximant: LAL's name of the waveform model.
        seed: global seed.
        prior_arguments: keyword arguments of the prior function.
        progress: shows how many signals are made.

    Raises:
        UserError: for a prior or a setting that cannot be used.
    """
    _check_count(num_signals)
    generator = WaveformGenerator(
        sample_rate,
        waveform_duration,
        right_pad,
        minimum_frequency,
        reference_frequency,
        waveform_approximant,
    )
    draw_binaries = binary_drawer(prior, prior_arguments)
    with seeded(stable_seed(seed, "training", prior)):
        binaries = draw_binaries(num_signals)
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    starts = range(0, num_signals, ROWS_AT_ONCE) or range(1)
    with tempfile.TemporaryDirectory(
        prefix=f".{output.name}.", dir=output.parent
    ) as scratch:
        parts = []
        for start in progress(
            starts, len(starts), f"batches of {ROWS_AT_ONCE} waveforms"
        ):
            some = binaries[start : start + ROWS_AT_ONCE]
            plus, cross = generator(some)
            parts.append(Path(scratch) / f"{start}.hdf5")
            WaveformPolarizationSet(
                **_columns(some),
                plus=plus.astype(np.float32),
                cross=cross.astype(np.float32),
                **_metadata(generator, len(some)),
            ).write(parts[-1])
        WaveformPolarizationSet.aggregate(parts, output, length=num_signals)


def validation_waveforms(
    output: Path,
    *,
    prior: str,
    num_signals: int,
    background: Sequence[Path],
    ifos: Sequence[str],
    highpass: float | None,
    snr_threshold: float,
    sample_rate: float,
    waveform_duration: float,
    right_pad: float,
    minimum_frequency: float,
    reference_frequency: float,
    waveform_approximant: str,
    seed: int,
    lowpass: float | None = None,
    fftlength: float | None = None,
    prior_arguments: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> None:
    """Draw detectable signals and write the responses to them.

    Args:
        output: file to be written, a ``WaveformSet`` with one waveform per
            ifo in single precision.
        prior: dotted name of a prior function.
        num_signals: how many signals are kept.
        background: files whose median PSD the SNRs refer to.
        ifos: interferometers.
        highpass: lowest frequency that counts for SNRs in Hz.
        snr_threshold: smallest network SNR that is kept.
        sample_rate: Hz, that of the background.
        waveform_duration: length of a waveform in s.
        right_pad: from the coalescence to the waveform's end in s.
        minimum_frequency: where waveforms start in Hz.
        reference_frequency: where the spins are given in Hz.
        waveform_approximant: LAL's name of the waveform model.
        seed: global seed.
        lowpass: highest frequency that counts in Hz; None for Nyquist.
        fftlength: length of the segments of the PSD estimate in s; None
            for ``waveform_duration``.
        prior_arguments: keyword arguments of the prior function.
        progress: shows how many signals are kept.

    Raises:
        UserError: for a prior, a file or a setting that cannot be used, or
            if hardly any draw is kept.
    """
    _check_count(num_signals)
    generator = WaveformGenerator(
        sample_rate,
        waveform_duration,
        right_pad,
        minimum_frequency,
        reference_frequency,
        waveform_approximant,
    )
    sampler = rejection_sampler(
        generator,
        prior,
        prior_arguments,
        background=background,
        ifos=ifos,
        highpass=highpass,
        lowpass=lowpass,
        fftlength=fftlength,
        snr_threshold=snr_threshold,
    )
    with seeded(stable_seed(seed, "validation", prior)):
        sample = sampler.sample(num_signals, progress)
    table = waveform_class_factory(ifos, WaveformSet, "ValidationSet")
    table(
        **_columns(sample.kept),
        **_responses(sample, ifos),
        **_metadata(generator, sample.num_injections),
    ).write(output)


def testing_waveforms(
    waveforms_output: Path,
    rejected_output: Path,
    *,
    start: float,
    stop: float,
    shifts: Sequence[float],
    background: Path,
    prior: str,
    ifos: Sequence[str],
    spacing: float,
    buffer: float,
    jitter: float,
    snr_threshold: float,
    highpass: float | None,
    sample_rate: float,
    waveform_duration: float,
    right_pad: float,
    minimum_frequency: float,
    reference_frequency: float,
    waveform_approximant: str,
    seed: int,
    lowpass: float | None = None,  # noqa: PT028
    fftlength: float | None = None,  # noqa: PT028
    prior_arguments: dict[str, Any] | None = None,  # noqa: PT028
    progress: Progress = silent,  # noqa: PT028
) -> None:
    """Make the injections of one segment and shift.

    Both files may have no rows. What is drawn depends on the seed, start,
    stop and shifts alone, not on which other segments are made.

    Args:
        waveforms_output: file to be written, an
            ``InterferometerResponseSet`` in single precision.
        rejected_output: file to be written, an ``InjectionParameterSet``
            of the draws that were not kept.
        start: GPS time from which on the shifted segment is analysed in s.
        stop: GPS time until which it is analysed in s: the segment's end
            less the largest shift.
        shifts: seconds by which each ifo is read later.
        background: file of the segment, whose PSD the SNRs refer to.
        prior: dotted name of a prior function.
        ifos: interferometers.
        spacing: between the end of a waveform and the start of the next, s.
        buffer: without injections at both ends, s.
        jitter: largest displacement of an injection in s.
        snr_threshold: smallest network SNR that is kept.
        highpass: lowest frequency that counts for SNRs in Hz.
        sample_rate: Hz, that of the background.
        waveform_duration: length of a waveform in s.
        right_pad: from the coalescence to the waveform's end in s.
        minimum_frequency: where waveforms start in Hz.
        reference_frequency: where the spins are given in Hz.
        waveform_approximant: LAL's name of the waveform model.
        seed: global seed.
        lowpass: highest frequency that counts in Hz; None for Nyquist.
        fftlength: length of the segments of the PSD estimate in s; None
            for ``waveform_duration``.
        prior_arguments: keyword arguments of the prior function.
        progress: shows how many injections are kept.

    Raises:
        UserError: for a prior, a file or a setting that cannot be used, or
            if hardly any draw is kept.
    """
    shifts = [float(shift) for shift in shifts]
    if len(shifts) != len(ifos):
        raise UserError(
            f"shifts {shifts} are {len(shifts)}, but ifos {list(ifos)} are "
            f"{len(ifos)}"
        )
    generator = WaveformGenerator(
        sample_rate,
        waveform_duration,
        right_pad,
        minimum_frequency,
        reference_frequency,
        waveform_approximant,
    )
    context = (float(start), float(stop), tuple(shifts))
    times = injection_times(
        start,
        stop,
        spacing=spacing,
        buffer=buffer,
        duration=waveform_duration,
        jitter=jitter,
        rng=np.random.default_rng(stable_seed(seed, "times", *context)),
    )
    sampler = rejection_sampler(
        generator,
        prior,
        prior_arguments,
        background=[background],
        ifos=ifos,
        highpass=highpass,
        lowpass=lowpass,
        fftlength=fftlength,
        snr_threshold=snr_threshold,
    )
    with seeded(stable_seed(seed, "injections", *context)):
        sample = sampler.sample(len(times), progress)
    table = waveform_class_factory(
        ifos, InterferometerResponseSet, "ResponseSet"
    )
    sample.rejected.write(rejected_output)
    table(
        **_columns(sample.kept),
        **_responses(sample, ifos),
        **_metadata(generator, sample.num_injections),
        injection_time=times,
        shift=np.tile(shifts, (len(times), 1)),
    ).write(waveforms_output)


def _check_count(num_signals: int) -> None:
    if num_signals < 0:
        raise UserError(
            f"num_signals is {num_signals}; it must not be negative"
        )


def _columns(table: Ledger) -> dict[str, Any]:
    names = [*table.columns(), *table.metadata_fields()]
    return {name: getattr(table, name) for name in names}


def _responses(
    sample: RejectionSample, ifos: Sequence[str]
) -> dict[str, np.ndarray]:
    return {
        ifo.lower(): sample.responses[:, column]
        for column, ifo in enumerate(ifos)
    }


def _metadata(
    generator: WaveformGenerator, num_injections: int
) -> dict[str, Any]:
    return {
        "sample_rate": generator.sample_rate,
        "duration": generator.duration,
        "right_pad": generator.right_pad,
        "num_injections": num_injections,
    }
