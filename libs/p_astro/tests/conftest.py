from collections.abc import Callable

import numpy as np
import pytest
from ledger.events import SECONDS_IN_YEAR, EventSet, RecoveredInjectionSet
from ledger.injections import InjectionParameterSet
from p_astro import Pastro
from p_astro.background import KdeAndPolynomialBackground
from p_astro.foreground import KdeForeground

ANGLES = (
    *("a_1", "a_2", "tilt_1", "tilt_2", "phi_12", "phi_jl"),
    *("ra", "psi", "theta_jn", "phase", "snr"),
)


@pytest.fixture(scope="session")
def make_events() -> Callable[..., EventSet]:
    def make(statistics: np.ndarray, livetime: float) -> EventSet:
        return EventSet(
            detection_statistic=statistics,
            detection_time=np.arange(len(statistics)),
            shift=np.zeros((len(statistics), 2)),
            Tb=livetime,
        )

    return make


def _parameters(size: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "mass_1": np.full(size, 40.0),
        "mass_2": np.full(size, 30.0),
        "redshift": rng.uniform(0.1, 1.5, size),
        "dec": np.arcsin(rng.uniform(-1, 1, size)),
        "ifo_snrs": np.zeros((size, 2)),
    } | {name: np.zeros(size) for name in ANGLES}


@pytest.fixture(scope="session")
def make_injections() -> Callable[
    ..., tuple[RecoveredInjectionSet, InjectionParameterSet]
]:
    def make(
        statistics: np.ndarray, rejected: int
    ) -> tuple[RecoveredInjectionSet, InjectionParameterSet]:
        rng = np.random.default_rng(0)
        kept = len(statistics)
        times = np.arange(kept, dtype=float)
        return (
            RecoveredInjectionSet(
                **_parameters(kept, rng),
                injection_time=times,
                shift=np.zeros((kept, 2)),
                detection_statistic=statistics,
                detection_time=np.where(
                    np.isneginf(statistics), np.nan, times
                ),
                num_injections=kept + rejected,
                Tb=1e6,
            ),
            InjectionParameterSet(**_parameters(rejected, rng)),
        )

    return make


@pytest.fixture(scope="session")
def exponentials() -> Pastro:
    """Noise of scale 0.5 at 2e5 a year, signals of scale 2 at 30 a year."""
    rng = np.random.default_rng(0)
    background = KdeAndPolynomialBackground.from_arrays(
        rng.exponential(0.5, 200_000), SECONDS_IN_YEAR
    )
    foreground = KdeForeground.from_arrays(
        rng.exponential(2, 50_000), np.full(50_000, 1e-5), 3.0, 20.0
    )
    return Pastro(foreground, background)


@pytest.fixture(scope="session")
def saturated() -> Pastro:
    """Signals whose statistic ends where the noise still goes on."""
    rng = np.random.default_rng(1)
    background = KdeAndPolynomialBackground.from_arrays(
        rng.gumbel(0, 0.5, 5000), 1e5
    )
    found = np.minimum(rng.normal(2, 1, 1000), 3) - rng.exponential(0.05, 1000)
    foreground = KdeForeground.from_arrays(
        found, np.full(1000, 1e-4), 300.0, 25.0
    )
    return Pastro(foreground, background)
