"""Post-Newtonian relation of time to coalescence and frequency."""

import lal
import numpy as np

LOWEST_FREQUENCY = 0.1
INSPIRAL_LIMIT = 1899.0
"""Solar masses times Hz: total mass times the highest starting frequency."""


def starting_frequency(
    minimum_frequency: float, total_mass: np.ndarray
) -> np.ndarray:
    """Frequency at which a waveform starts.

    Heavy binaries merge before they reach ``minimum_frequency``; they start
    at 1899 Hz divided by their total mass in solar masses.

    Args:
        minimum_frequency: Hz.
        total_mass: detector-frame total masses in solar masses, shape (N,).

    Returns:
        Frequencies in Hz, shape (N,).
    """
    return np.minimum(minimum_frequency, INSPIRAL_LIMIT / total_mass)


def time_to_coalescence(
    frequency: np.ndarray,
    mass_1: np.ndarray,
    mass_2: np.ndarray,
    chi_1: np.ndarray,
    chi_2: np.ndarray,
) -> np.ndarray:
    """Time that a binary takes from a frequency to its coalescence.

    Second post-Newtonian order with the spin-orbit term: minus the
    frequency derivative of the TaylorF2 phase (arXiv:0907.0700 eq. 3.18)
    divided by 2 pi.

    Args:
        frequency: gravitational-wave frequencies in Hz, shape (N,).
        mass_1: heavier detector-frame masses in solar masses, shape (N,).
        mass_2: lighter detector-frame masses in solar masses, shape (N,).
        chi_1: spin components along the orbital momentum, shape (N,).
        chi_2: spin components along the orbital momentum, shape (N,).

    Returns:
        Times in s, shape (N,).
    """
    mass = mass_1 + mass_2
    eta = mass_1 * mass_2 / mass**2
    beta = sum(
        (113 / 12 * (m / mass) ** 2 + 25 / 4 * eta) * chi
        for m, chi in ((mass_1, chi_1), (mass_2, chi_2))
    )
    seconds = mass * lal.MTSUN_SI
    v = np.cbrt(np.pi * seconds * frequency)
    series = (
        1
        + (743 / 252 + 11 / 3 * eta) * v**2
        - (32 * np.pi - 8 * beta) / 5 * v**3
        + (3058673 / 508032 + 5429 / 504 * eta + 617 / 72 * eta**2) * v**4
    )
    return 5 * seconds / (256 * eta) * v**-8.0 * series


def frequency_before_coalescence(
    time: float,
    mass_1: np.ndarray,
    mass_2: np.ndarray,
    chi_1: np.ndarray,
    chi_2: np.ndarray,
) -> np.ndarray:
    """Frequency that a binary has some time before its coalescence.

    Inverse of :func:`time_to_coalescence` by bisection, between 0.1 Hz and
    the highest starting frequency, at which it is clipped.

    Args:
        time: time to coalescence in s.
        mass_1: as in :func:`time_to_coalescence`, like the others.
        mass_2: lighter masses.
        chi_1: spin components along the orbital momentum.
        chi_2: spin components along the orbital momentum.

    Returns:
        Frequencies in Hz, shape (N,).
    """
    binary = (mass_1, mass_2, chi_1, chi_2)
    low = np.full(mass_1.shape, LOWEST_FREQUENCY)
    high = starting_frequency(np.inf, mass_1 + mass_2)
    for _ in range(50):
        middle = np.sqrt(low * high)
        earlier = time_to_coalescence(middle, *binary) > time
        low = np.where(earlier, middle, low)
        high = np.where(earlier, high, middle)
    return high
