"""Operations on signals and what is found of them."""

from pathlib import Path

import numpy as np
from case import (
    DURATION,
    MADE,
    RATE,
    RIGHT_PAD,
    WAVEFORM,
    Case,
    Responses,
    make_rows,
    scaled,
    short,
)
from p_astro import Pastro
from p_astro.background import KdeAndPolynomialBackground
from p_astro.foreground import KdeForeground
from plots.volume import RecoveredStatistics, Weights
from scipy.stats import gaussian_kde


def injecting(scale: float, folder: Path) -> Case:
    """Signals every 4 s, each 8 s long, in one segment."""
    count = scaled(1000, scale)
    samples = int(scaled(20_000, scale, least=100) * RATE)
    columns = make_rows(Responses, count)
    columns["injection_time"] = 8 + 4.0 * np.arange(count) + 1 / 3
    rng = np.random.default_rng(8)
    for name in ("h1", "l1"):
        columns[name] = rng.standard_normal((count, WAVEFORM), np.float32)
    injections = Responses(**columns, **MADE, num_injections=count)
    x = np.zeros((2, samples), dtype=np.float32)

    def baseline() -> None:
        first = (injections.injection_time - DURATION + RIGHT_PAD) * RATE
        index = np.rint(first).astype(int)[:, None] + np.arange(WAVEFORM)
        for channel, name in zip(x.copy(), ("h1", "l1"), strict=True):
            np.add.at(channel, index, getattr(injections, name))

    return Case(
        f"{count} signals, {samples / RATE:.0f} s of two ifos",
        lambda: injections.inject(x, 0.0),
        baseline,
        1.0,
    )


def volume(scale: float, folder: Path) -> Case:
    """Volume and error at all thresholds for four populations."""
    number, thresholds = scaled(1e6, scale), scaled(1e5, scale)
    rng = np.random.default_rng(6)
    statistics = rng.standard_normal(number)
    statistics[::3] = -np.inf
    weights = [
        Weights.from_logarithms(
            rng.standard_normal(number), rng.standard_normal(number)
        )
        for _ in range(4)
    ]
    wanted = rng.standard_normal(thresholds)

    def run() -> None:
        recovered = RecoveredStatistics(statistics)
        for weight in weights:
            recovered.volume(weight, wanted, 1.0)

    def baseline() -> None:
        kept = weights[0].kept
        for threshold in wanted[:10]:
            found = statistics >= threshold
            fraction = kept[found].sum()
            np.sum(kept**2 * (found - fraction) ** 2)

    return Case(
        f"{short(number)} injections, {short(thresholds)} thresholds, "
        f"{len(weights)} populations",
        run,
        baseline,
        len(weights) * thresholds / len(wanted[:10]),
    )


def p_astro(scale: float, folder: Path) -> Case:
    """Evaluate p_astro, as often as there are background events."""
    count = scaled(1e6, scale, 1000)
    few = scaled(300, scale)
    rng = np.random.default_rng(8)
    noise, found = (
        rng.standard_normal(count),
        rng.normal(3, 2, count // 10 + 1000),
    )
    signals = KdeForeground.from_arrays(
        found, np.full(found.size, 0.5 / found.size), 100.0, 30.0
    )
    model = Pastro(signals, KdeAndPolynomialBackground.from_arrays(noise, 1e7))
    statistics = rng.uniform(-4, 8, count)

    def baseline() -> None:
        kernels = gaussian_kde(found), gaussian_kde(noise)
        f, b = (kernel(statistics[:few]) for kernel in kernels)
        f / (f + b)

    return Case(
        f"{short(count)} statistics, as many background events",
        lambda: model(statistics),
        baseline,
        count / few,
    )
