"""How quiet a signal does a network find that few CPU cores have trained?

    python benchmarks/skill.py DIRECTORY [--figure FILE] [-- TRAINING OPTIONS]

Non-spinning binaries of 10 to 50 solar masses in Gaussian noise of design
sensitivity, two interferometers. Makes the data, trains
``projects/train/configs/skill.yaml``, searches time-slides without and with
injections at given network SNRs, and prints which part of them is louder
than the statistic that noise reaches 960 times in 30 days (1.3 times an
hour). What DIRECTORY holds already is not made again, and a killed training
goes on where it was: the same command goes on. See docs/skill.md.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from conventions.files import complete
from conventions.progress import plain
from datagen.background import fetch
from datagen.drawing import binary_drawer
from datagen.psds import load
from datagen.waveforms import training_waveforms, validation_waveforms
from infer.direct import DirectEngine
from infer.main import SlideFiles, infer_segment
from ledger.events import SECONDS_IN_YEAR, EventSet, RecoveredInjectionSet
from ledger.injections import (
    InterferometerResponseSet,
    waveform_class_factory,
)
from numpy.typing import NDArray
from preprocessing.manifest import Manifest
from priors.sampling import seeded
from scipy.stats import binomtest
from waveforms.generation import WaveformGenerator
from waveforms.response import detector_responses
from waveforms.snr import ifo_snrs

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "projects" / "train" / "configs" / "skill.yaml"
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
FILE_LENGTH = 7200
TRAINING_WAVES = {"waveform_duration": 4.0, "right_pad": 0.5}
DURATION, RIGHT_PAD, SPACING = 8.0, 1.0, 12.0
INFERENCE = {
    "psd_length": 64.0,
    "inference_sampling_rate": 4.0,
    "batch_size": 128,
    "platform": "python",
}
# Outputs are not averaged: the network itself sums over time.
SEARCH = {
    "integration_window_length": 0.25,
    "cluster_window_length": 8.0,
    "recovery_window": 1.0,
}
FAR = 960 / (30 * 86400) * SECONDS_IN_YEAR
BOOTSTRAPS = 1000
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


def processor_seconds(pid: int) -> float:
    """What a process and all of its threads have used until now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def train(folder: Path, options: Sequence[str]) -> None:
    """Train in a process of its own; note its processor time all along."""
    run_dir, record = folder / "training", folder / "processor.json"
    if (run_dir / "manifest.json").exists():
        return
    before = json.loads(record.read_text()) if record.exists() else []
    with (folder / "training.log").open("a") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "train", "fit"),
                f"--config={CONFIG}",
                f"--run_dir={run_dir}",
                f"--data.background_dir={folder / 'train' / 'background'}",
                f"--data.waveforms_dir={folder / 'train' / 'waveforms'}",
                *options,
            ],
            stdout=log,
            stderr=log,
        )
        running = True
        while running:
            running = process.poll() is None
            if running:
                seconds = processor_seconds(process.pid)
                with complete(record) as temporary:
                    temporary.write_text(json.dumps([*before, seconds]))
                time.sleep(1)
    if process.returncode:
        raise SystemExit(f"training failed, see {folder / 'training.log'}")


def draw_injections(
    path: Path, snrs: NDArray, seconds: int, slides: int
) -> None:
    """Signals of given network SNRs, evenly in the first slides.

    An SNR is that under the design curve from 20 to 1024 Hz, of the
    waveform sampled at 2048 Hz: what the search does not see of it counts.
    """
    times = np.arange(
        TEST_START + INFERENCE["psd_length"] + 2 * SPACING,
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


def search(folder: Path, noise: Path, seconds: int, slides: int) -> None:
    """Search slides; those that hold injections with them, too."""
    trained = folder / "training"
    manifest = Manifest.read(trained / "manifest.json").extended(**INFERENCE)
    injections = folder / "injections.hdf5"
    injected = Responses.read(injections).shift[:, 1].max()
    found = folder / "search"
    found.mkdir(exist_ok=True)
    files = [
        SlideFiles(
            shifts=(0.0, float(i)),
            background=found / f"background-{i}.hdf5",
            livetime=found / f"livetime-{i}.hdf5",
            injections=injections if i <= injected else None,
            foreground=(
                found / f"foreground-{i}.hdf5" if i <= injected else None
            ),
        )
        for i in range(1, slides + 1)
        if not (found / f"livetime-{i}.hdf5").exists()
    ]
    engine = DirectEngine(trained, manifest)
    # A few at a time, so that a killed search loses little.
    for first in range(0, len(files), 2):
        infer_segment(
            engine,
            background=noise,
            start=TEST_START,
            stop=TEST_START + seconds,
            slides=files[first : first + 2],
            progress=plain,
            **SEARCH,
        )


@dataclass(frozen=True)
class Skill:
    """What a search found.

    Attributes:
        noise: events of the background.
        snrs: that were injected, of shape ``(injection,)``.
        statistic: of each injection, -inf where it made no event.
    """

    noise: EventSet
    snrs: NDArray
    statistic: NDArray

    @cached_property
    def threshold(self) -> float:
        """Statistic that noise reaches at the rate of false alarms."""
        return float(self.noise.threshold_at_far(FAR))

    @cached_property
    def levels(self) -> NDArray:
        """The SNRs that were injected, each once."""
        return np.unique(self.snrs)

    def table(self) -> list[tuple[float, int, int, float, float]]:
        """SNR, found, injected, and the ends of the exact 95% interval."""
        rows = []
        for snr in self.levels:
            loud = self.statistic[self.snrs == snr] >= self.threshold
            found, count = int(loud.sum()), len(loud)
            interval = binomtest(found, count).proportion_ci(0.95)
            rows.append((float(snr), found, count, *map(float, interval)))
        return rows

    def half(self, statistic: NDArray, threshold: float) -> float:
        """SNR of efficiency one half, on straight lines between levels."""
        loud = statistic >= threshold
        shares = [loud[self.snrs == snr].mean() for snr in self.levels]
        return float(
            np.interp(0.5, np.maximum.accumulate(shares), self.levels)
        )

    def interval(self) -> tuple[NDArray, NDArray]:
        """95% intervals of threshold and half-way SNR, by bootstrap.

        Injections are drawn again at each SNR, and events of the background
        each a Poisson number of times.
        """
        rng = np.random.default_rng(4)
        allowed = FAR / SECONDS_IN_YEAR * self.noise.Tb
        loudest = np.sort(self.noise.detection_statistic)[::-1]
        loudest = loudest[: int(3 * allowed) + 20]
        rows = [np.flatnonzero(self.snrs == snr) for snr in self.levels]
        thresholds, halves = [], []
        for _ in range(BOOTSTRAPS):
            count = np.cumsum(rng.poisson(1.0, len(loudest)))
            last = np.searchsorted(count, allowed, side="right")
            thresholds.append(loudest[max(0, last - 1)])
            statistic = np.empty_like(self.statistic)
            for some in rows:
                statistic[some] = self.statistic[rng.choice(some, len(some))]
            halves.append(self.half(statistic, thresholds[-1]))
        ends = 2.5, 97.5
        return np.percentile(thresholds, ends), np.percentile(halves, ends)


def read(folder: Path) -> Skill:
    """Collect the slides."""
    found = folder / "search"
    noise = EventSet.concatenate(
        EventSet.read(path) for path in sorted(found.glob("background-*"))
    )
    signals = RecoveredInjectionSet.concatenate(
        RecoveredInjectionSet.read(path)
        for path in sorted(found.glob("foreground-*"))
    )
    return Skill(noise, signals.snr.round(6), signals.detection_statistic)


def draw(skill: Skill, path: Path) -> None:
    """Efficiency against SNR."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    snr, found, count, low, high = np.array(skill.table()).T
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.fill_between(snr, low, high, alpha=0.3, label="95%, binomial")
    axes.plot(snr, found / count, "o-")
    axes.axhline(0.5, color="gray", linewidth=0.8)
    half = skill.half(skill.statistic, skill.threshold)
    axes.axvline(half, color="gray", linewidth=0.8, linestyle="--")
    axes.set_title(f"half are found at network SNR {half:.2f}", fontsize=10)
    axes.set_xlabel("injected network SNR")
    axes.set_ylabel("found at 960 false alarms in 30 days")
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower right")
    with complete(path) as temporary:
        figure.savefig(temporary, dpi=100)


def report(skill: Skill, folder: Path) -> None:
    """Print what was measured."""
    record = folder / "processor.json"
    minutes = sum(json.loads(record.read_text())) / 60
    thresholds, halves = skill.interval()
    half = skill.half(skill.statistic, skill.threshold)
    print("| SNR | found | injected | efficiency | 95% |")
    print("|---|---|---|---|---|")
    for snr, found, count, low, high in skill.table():
        share = found / count
        print(
            f"| {snr:g} | {found} | {count} | {share:.3f} | "
            f"{low:.3f} to {high:.3f} |"
        )
    print(
        f"\nSNR of half: {half:.2f} ({halves[0]:.2f} to {halves[1]:.2f})\n"
        f"threshold: {skill.threshold:.2f} ({thresholds[0]:.2f} to "
        f"{thresholds[1]:.2f}), from {skill.noise.Tb / 3600:.1f} h of "
        f"background\ntraining: {minutes:.1f} minutes of processor time, "
        f"{len(os.sched_getaffinity(0))} cores"
    )


def main() -> None:
    """Make, train, search, and say how that went."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("--figure", type=Path, help="PNG file of the curve")
    parser.add_argument("--train-seconds", type=int, default=6 * FILE_LENGTH)
    parser.add_argument("--signals", type=int, default=20_000)
    parser.add_argument("--test-seconds", type=int, default=14_400)
    parser.add_argument("--slides", type=int, default=8)
    parser.add_argument("--injections", type=int, default=300, help="per SNR")
    parser.add_argument(
        "--snrs",
        type=float,
        nargs="+",
        default=[5, 6, 6.5, 7, 7.5, 8, 9],
    )
    given = sys.argv[1:]
    end = given.index("--") if "--" in given else len(given)
    arguments, options = parser.parse_args(given[:end]), given[end + 1 :]
    folder = arguments.directory
    background = folder / "train" / "background"
    lengths = [FILE_LENGTH] * (arguments.train_seconds // FILE_LENGTH)
    rest = arguments.train_seconds % FILE_LENGTH
    lengths += [rest] if rest else []
    *_, last = make_noise(background, TRAIN_START, lengths)
    make_signals(folder / "train" / "waveforms", arguments.signals, last)
    train(folder, options)
    seconds, slides = arguments.test_seconds, arguments.slides
    (noise,) = make_noise(
        folder / "test" / "background", TEST_START, [seconds]
    )
    injections = folder / "injections.hdf5"
    if not injections.exists():
        snrs = np.repeat(arguments.snrs, arguments.injections)
        draw_injections(injections, snrs, seconds, slides)
    search(folder, noise, seconds, slides)
    skill = read(folder)
    report(skill, folder)
    if arguments.figure:
        draw(skill, arguments.figure)


if __name__ == "__main__":
    main()
