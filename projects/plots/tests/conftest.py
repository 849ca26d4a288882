"""A search that never ran, with known properties."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from ledger.events import EventSet, RecoveredInjectionSet
from ledger.injections import InjectionParameterSet
from ledger.livetime import LivetimeSet
from priors import load
from priors.sampling import draw, seeded

IFOS = ["H1", "L1"]
PARAMETERS = (
    "mass_1",
    "mass_2",
    "a_1",
    "a_2",
    "tilt_1",
    "tilt_2",
    "phi_12",
    "phi_jl",
    "ra",
    "dec",
    "redshift",
    "psi",
    "theta_jn",
    "phase",
)


TABLES = ("background", "foreground", "rejected", "zero_lag", "livetime")


@dataclass
class Search:
    background: EventSet
    foreground: RecoveredInjectionSet
    rejected: InjectionParameterSet
    zero_lag: EventSet
    livetime: LivetimeSet
    prior: str

    def write(self, directory: Path) -> dict[str, Path]:
        paths = {}
        for name in TABLES:
            paths[name] = directory / f"{name}.hdf5"
            getattr(self, name).write(paths[name])
        return paths


def _events(
    size: int, livetime: float, shift: float, rng: np.random.Generator
) -> EventSet:
    return EventSet(
        detection_statistic=np.sort(rng.normal(-4, 1.2, size)),
        detection_time=np.sort(rng.uniform(0, livetime, size)),
        shift=np.tile([0.0, shift], (size, 1)),
        Tb=livetime,
    )


@pytest.fixture(scope="session")
def make_search() -> Callable[..., Search]:
    def make(
        draws: int = 20_000,
        livetime: float = 8 * 3600.0,
        background: int | None = None,
        prior: str = "priors.priors.nonspin_bbh",
        seed: int = 1,
    ) -> Search:
        rng = np.random.default_rng(seed)
        with seeded(seed):
            sample = draw(*load(prior), draws)
        table = InjectionParameterSet(
            **{name: sample[name] for name in PARAMETERS},
            snr=np.zeros(draws),
            ifo_snrs=np.zeros((draws, 2)),
            ifos=IFOS,
        )
        if draws:
            strength = (table.chirp_mass / 26) ** (5 / 6) * rng.beta(
                2, 2, draws
            )
            table.snr = 25e3 * strength / table.luminosity_distance
            table.ifo_snrs = np.tile(table.snr[:, None] / np.sqrt(2), 2)
        kept = table.snr >= 4
        searched, rejected = table[kept], table[~kept]
        snr = searched.snr
        seen = rng.uniform(size=len(snr)) < 1 / (1 + np.exp((5 - snr) * 1.5))
        statistic = -4 + 0.9 * (snr - 4) + rng.normal(0, 0.8, len(snr))
        times = 10.0 * np.arange(len(snr))
        foreground = RecoveredInjectionSet(
            **{name: getattr(searched, name) for name in PARAMETERS},
            snr=snr,
            ifo_snrs=searched.ifo_snrs,
            ifos=IFOS,
            injection_time=times,
            shift=np.tile([0.0, 1.0], (len(snr), 1)),
            detection_time=np.where(seen, times, np.nan),
            detection_statistic=np.where(
                seen, np.minimum(statistic, 8), -np.inf
            ),
            num_injections=draws,
            Tb=livetime,
        )
        size = int(livetime / 16) if background is None else background
        return Search(
            _events(size, livetime, 1.0, rng),
            foreground,
            rejected,
            _events(size // 10, livetime / 10, 0.0, rng),
            LivetimeSet(
                start=[0.0, 0.0],
                stop=[livetime, livetime / 10],
                shift=[[0.0, 1.0], [0.0, 0.0]],
            ),
            prior,
        )

    return make


@pytest.fixture(scope="session")
def search(make_search: Callable[..., Search]) -> Search:
    return make_search()
