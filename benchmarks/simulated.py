"""Noise, signals to train on and injections of the measurement of skill."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from datagen.background import fetch
from datagen.drawing import binary_drawer
from datagen.psds import load
from datagen.waveforms import training_waveforms, validation_waveforms
from ledger.injections import (
    InterferometerResponseSet,
    waveform_class_factory,
)
from numpy.typing import NDArray
from priors.sampling import seeded
from waveforms.generation import WaveformGenerator
from waveforms.response import detector_responses
from waveforms.snr import ifo_snrs

IFOS = ("H1", "L1")
CURVE = "aLIGO_ZERO_DET_high_P_psd.txt"
RATE = 512.0
PRIOR = {
    "prior": "priors.priors.nonspin_bbh",
    "prior_arguments": {"minimum_mass": 10.0, "maximum_mass": 50.0},
}
# The whole of a signal above 20 Hz, and more.
MODEL = "IMRPhenomD"
MINIMUM, REFERENCE = 18.0, 20.0
# An injection's SNR is that from this to half of this rate, in Hz.
SNR_BAND, SNR_RATE = 20.0, 2048.0
TRAIN_START, TEST_START = 1_240_000_000, 1_250_000_000
TRAINING_WAVES = {"waveform_duration": 4.0, "right_pad": 0.5}
DURATION, RIGHT_PAD, SPACING = 8.0, 1.0, 12.0
# What a search takes from the start for the first PSD, in s.
PSD_LENGTH = 64.0
Responses = waveform_class_factory(
    list(IFOS), InterferometerResponseSet, "Responses"
)


def make_noise(folder: Path, start: int, lengths: Sequence[int]) -> list[Path]:
    """Files of Gaussian noise, one after the other."""
    paths = []
    for length in lengths:
        path = folder / f"background-{start}-{length}.hdf5"
        paths.append(path)
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            fetch(
                path,
                source="simulated",
                ifos=IFOS,
                start=start,
                duration=length,
                sample_rate=RATE,
                psds=dict.fromkeys(IFOS, CURVE),
                seed=1,
            )
        start += length
    return paths


def make_signals(folder: Path, count: int, noise: Path) -> None:
    """Signals to train on, and to validate with."""
    settings = {
        **PRIOR,
        **TRAINING_WAVES,
        "sample_rate": RATE,
        "minimum_frequency": MINIMUM,
        "reference_frequency": REFERENCE,
        "waveform_approximant": MODEL,
    }
    path = folder / "train_waveforms.hdf5"
    if not path.exists():
        training_waveforms(path, num_signals=count, seed=1, **settings)
    path = folder / "val_waveforms.hdf5"
    if not path.exists():
        validation_waveforms(
            path,
            num_signals=max(8, count // 40),
            background=[noise],
            ifos=IFOS,
            highpass=SNR_BAND,
            snr_threshold=4,
            fftlength=1,
            seed=2,
            **settings,
        )


def draw_injections(
    path: Path, snrs: NDArray, seconds: int, slides: int
) -> None:
    """Signals of given network SNRs, evenly in the first slides.

    An SNR is that under the design curve from 20 to 1024 Hz, of the
    waveform sampled at 2048 Hz: what the search does not see of it counts.
    """
    times = np.arange(
        TEST_START + PSD_LENGTH + 2 * SPACING,
        TEST_START + seconds - slides - 2 * SPACING,
        SPACING,
    )
    rng = np.random.default_rng(3)
    snrs = rng.permutation(snrs)
    count = len(snrs)
    used = -(-count // len(times))
    if used > slides:
        raise SystemExit(f"{count} injections need {used} slides")
    with seeded(3):
        binaries = binary_drawer(PRIOR["prior"], PRIOR["prior_arguments"])(
            count
        )
    binaries.psi = rng.uniform(0, np.pi, count)
    full, seen = (
        WaveformGenerator(rate, DURATION, RIGHT_PAD, MINIMUM, REFERENCE, MODEL)
        for rate in (SNR_RATE, RATE)
    )
    waves, loudness = [], []
    for first in range(0, count, 128):
        some = binaries[first : first + 128]
        unscaled = optimal_snrs(
            detector_responses(*full(some), some, IFOS, SNR_RATE)
        )
        response = detector_responses(*seen(some), some, IFOS, RATE)
        wanted = snrs[first : first + 128, None]
        scale = wanted / np.linalg.norm(unscaled, axis=1, keepdims=True)
        waves.append(response * scale[..., None])
        loudness.append(unscaled * scale)
    strain = np.concatenate(waves).astype(np.float32)
    jitter = rng.uniform(-0.5, 0.5, count)
    Responses(
        **{name: getattr(binaries, name) for name in binaries.columns()},
        ifo_snrs=np.concatenate(loudness),
        snr=snrs,
        injection_time=np.tile(times, used)[:count] + jitter,
        shift=np.array([[0.0, 1 + i // len(times)] for i in range(count)]),
        **{ifo.lower(): strain[:, i] for i, ifo in enumerate(IFOS)},
        ifos=list(IFOS),
        sample_rate=RATE,
        duration=DURATION,
        right_pad=RIGHT_PAD,
        num_injections=count,
    ).write(path)


def optimal_snrs(responses: NDArray) -> NDArray:
    """SNR in each interferometer of responses sampled at ``SNR_RATE``."""
    frequencies = np.fft.rfftfreq(responses.shape[-1], 1 / SNR_RATE)
    psd = load(CURVE)
    values = np.interp(frequencies, psd.frequencies, psd.values)
    psds = np.tile(values, (len(IFOS), 1))
    return ifo_snrs(responses, psds, SNR_RATE, highpass=SNR_BAND)
