"""Which part of the injections is louder than noise, with its intervals."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from conventions.files import complete
from ledger.events import SECONDS_IN_YEAR, EventSet
from numpy.typing import NDArray
from scipy.stats import binomtest

FAR = 960 / (30 * 86400) * SECONDS_IN_YEAR
BOOTSTRAPS = 1000


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
