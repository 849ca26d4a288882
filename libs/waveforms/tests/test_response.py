import bilby
import lal
import numpy as np
import pytest
from bilby_cython.geometry import get_polarization_tensor
from conventions.errors import UserError
from waveforms.response import antenna_patterns, detector_responses

IFOS = ["H1", "L1", "V1"]
TIME = 1126259462.0


def gmst(time):
    """Greenwich mean sidereal time in rad."""
    return lal.GreenwichMeanSiderealTime(time) % (2 * np.pi)


def test_antenna_patterns_are_bilbys_at_zero_sidereal_time(
    random_binaries, rng
):
    binaries = random_binaries(20, rng)
    factors = antenna_patterns(binaries, IFOS)
    for column, ifo in enumerate(IFOS):
        detector = bilby.gw.detector.get_empty_interferometer(ifo)
        for row in range(20):
            for mode, name in enumerate(("plus", "cross")):
                polarization = get_polarization_tensor(
                    binaries.ra[row] + gmst(TIME),
                    binaries.dec[row],
                    TIME,
                    binaries.psi[row],
                    name,
                )
                expected = np.einsum(
                    "ij,ij",
                    detector.geometry.detector_tensor,
                    polarization,
                )
                assert factors[row, mode, column] == pytest.approx(
                    expected, abs=2e-4
                )


def test_responses_are_patterns_times_delayed_polarizations(
    random_binaries, rng
):
    binaries = random_binaries(6, rng)
    plus, cross = np.zeros((2, 6, 4096))
    plus[:, 2000] = 1e-21
    cross[:, 2000] = 2e-21
    rate = 4096.0
    strain = detector_responses(plus, cross, binaries, IFOS, rate)
    factors = antenna_patterns(binaries, IFOS)
    assert strain.shape == (6, 3, 4096)
    for column, ifo in enumerate(IFOS):
        detector = bilby.gw.detector.get_empty_interferometer(ifo)
        for row in range(6):
            place = np.abs(strain[row, column]).argmax()
            delay = detector.time_delay_from_geocenter(
                binaries.ra[row] + gmst(TIME), binaries.dec[row], TIME
            )
            assert (place - 2000) / rate == pytest.approx(
                delay, abs=1.1 / rate
            )
            expected = 1e-21 * (
                factors[row, 0, column] + 2 * factors[row, 1, column]
            )
            assert strain[row, column, place] == pytest.approx(expected)
            assert np.count_nonzero(strain[row, column]) == 1


@pytest.mark.parametrize("ifos", [["H1", "X1"], []])
def test_unknown_interferometers(ifos, binaries):
    with pytest.raises(UserError, match="ifos"):
        antenna_patterns(binaries(), ifos)
