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
from pathlib import Path

import numpy as np
from conventions.files import complete
from efficiency import Skill, draw
from simulated import (
    TEST_START,
    TRAIN_START,
    draw_injections,
    make_noise,
    make_signals,
)
from slides import read, search

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "projects" / "train" / "configs" / "skill.yaml"
FILE_LENGTH = 7200


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
