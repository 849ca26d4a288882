import lalsimulation
import numpy as np
import pytest
from waveforms.chirp import (
    frequency_before_coalescence,
    starting_frequency,
    time_to_coalescence,
)

MASS_1 = np.array([1.4, 8.0, 30.0, 50.0])
MASS_2 = np.array([1.2, 7.0, 25.0, 20.0])


def test_starting_frequency_is_lowered_for_heavy_binaries():
    total = np.array([10.0, 94.95, 189.9])
    np.testing.assert_allclose(starting_frequency(20, total), [20, 20, 10])


@pytest.mark.parametrize("chi", [0.0, 0.6, -0.4])
def test_time_to_coalescence_agrees_with_lal(chi):
    """LAL's reduced-spin TaylorF2 at 2PN differs in spin squared only."""
    chis = np.full(4, chi)
    times = time_to_coalescence(np.full(4, 15.0), MASS_1, MASS_2, chis, chis)
    for row, time in enumerate(times):
        mass = MASS_1[row] + MASS_2[row]
        eta = MASS_1[row] * MASS_2[row] / mass**2
        expected = lalsimulation.SimInspiralTaylorF2ReducedSpinChirpTime(
            15.0,
            MASS_1[row] * 1.988409902147041e30,
            MASS_2[row] * 1.988409902147041e30,
            chi * (1 - 76 * eta / 113),
            4,
        )
        assert time == pytest.approx(expected, rel=0.001 + 0.05 * abs(chi))


def test_frequency_inverts_time():
    chis = (np.full(4, 0.3), np.full(4, -0.2))
    frequency = frequency_before_coalescence(3.0, MASS_1, MASS_2, *chis)
    times = time_to_coalescence(frequency, MASS_1, MASS_2, *chis)
    np.testing.assert_allclose(times, 3.0, rtol=1e-9)


def test_frequency_is_clipped_near_coalescence():
    none = np.zeros(4)
    frequency = frequency_before_coalescence(0.0, MASS_1, MASS_2, none, none)
    np.testing.assert_allclose(frequency, 1899 / (MASS_1 + MASS_2))
