import numpy as np
import pytest
from ledger.injections import BilbyParameterSet
from waveforms.generation import WaveformGenerator


def make_binaries(**values):
    """Binaries like GW150914, with some parameters replaced."""
    usual = {
        **{"mass_1": 38.0, "mass_2": 32.0, "redshift": 0.09},
        **{"a_1": 0.0, "a_2": 0.0, "tilt_1": 0.0, "tilt_2": 0.0},
        **{"phi_12": 0.0, "phi_jl": 0.0, "theta_jn": 0.6, "phase": 1.1},
        **{"ra": 1.3, "dec": -0.7, "psi": 0.4},
    }
    columns = np.broadcast_arrays(
        *(np.atleast_1d(value) for value in (usual | values).values())
    )
    return BilbyParameterSet(
        **{
            name: np.array(column, float)
            for name, column in zip(usual | values, columns, strict=True)
        }
    )


def make_random_binaries(count, rng, precessing=True):
    masses = np.sort(rng.uniform(6, 80, (2, count)), axis=0)
    tilts = rng.uniform(0, np.pi, (2, count)) * precessing
    return make_binaries(
        mass_1=masses[1],
        mass_2=masses[0],
        redshift=rng.uniform(0.02, 0.6, count),
        a_1=rng.uniform(0, 0.9, count),
        a_2=rng.uniform(0, 0.9, count),
        tilt_1=tilts[0],
        tilt_2=tilts[1],
        phi_12=rng.uniform(0, 6.2, count) * precessing,
        phi_jl=rng.uniform(0, 6.2, count) * precessing,
        theta_jn=np.arccos(rng.uniform(-1, 1, count)),
        phase=rng.uniform(0, 6.2, count),
        ra=rng.uniform(0, 6.2, count),
        dec=np.arcsin(rng.uniform(-1, 1, count)),
        psi=rng.uniform(0, 3.1, count),
    )


def make_generator(**values):
    usual = {
        "sample_rate": 1024.0,
        "duration": 8.0,
        "right_pad": 0.5,
        "minimum_frequency": 20.0,
        "reference_frequency": 50.0,
        "approximant": "IMRPhenomD",
    }
    return WaveformGenerator(**(usual | values))


def make_psds(ifos=2, size=8192, sample_rate=1024.0):
    """A smooth curve with the slopes of a detector, and two lines."""
    frequencies = np.fft.rfftfreq(size, 1 / sample_rate)
    x = np.maximum(frequencies, 5) / 150
    psd = 1e-47 * (x**-8 + 2 + x**2)
    for line, factor in ((60.0, 1e3), (331.5, 1e2)):
        psd[np.abs(frequencies - line) < 0.3] *= factor
    return np.stack([psd * (1 + 0.5 * ifo) for ifo in range(ifos)])


@pytest.fixture
def rng():
    return np.random.default_rng(42)


@pytest.fixture(name="binaries")
def binaries_fixture():
    return make_binaries


@pytest.fixture
def random_binaries():
    return make_random_binaries


@pytest.fixture
def generator():
    return make_generator


@pytest.fixture
def psds():
    return make_psds
