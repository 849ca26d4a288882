import numpy as np
import pytest
from waveforms.estimate import TOLERANCE, SnrEstimate
from waveforms.response import detector_responses
from waveforms.snr import ifo_snrs

IFOS = ["H1", "L1"]


@pytest.mark.parametrize(
    ("approximant", "precessing"),
    [("IMRPhenomD", False), ("IMRPhenomPv2", True), ("IMRPhenomXPHM", True)],
)
@pytest.mark.parametrize("band", [(32.0, None), (20.0, 300.0)])
def test_estimate_is_exact_within_its_tolerance(
    approximant, precessing, band, random_binaries, generator, psds, rng
):
    count = 20 if approximant == "IMRPhenomXPHM" else 60
    noisy = psds() * rng.gamma(8, 1 / 8, psds().shape)
    make = generator(approximant=approximant)
    binaries = random_binaries(count, rng, precessing)
    estimate = SnrEstimate(make, IFOS, noisy, *band)(binaries)
    strain = detector_responses(*make(binaries), binaries, IFOS, 1024.0)
    exact = ifo_snrs(strain, noisy, 1024.0, *band)
    assert (estimate > exact * (1 - TOLERANCE / 2)).all()
    assert np.median(np.abs(estimate / exact - 1)) < 1e-3


def test_cut_inspirals_are_never_underestimated(binaries, generator, psds):
    make = generator(duration=4.0)
    light = binaries(mass_1=3.0, mass_2=2.0)
    noise = psds(size=4096)
    estimate = SnrEstimate(make, IFOS, noise, 20.0, None)(light)
    strain = detector_responses(*make(light), light, IFOS, 1024.0)
    assert (estimate > 0.99 * ifo_snrs(strain, noise, 1024.0, 20.0)).all()


def test_time_domain_models_have_no_estimate(generator):
    assert SnrEstimate.available(generator())
    assert not SnrEstimate.available(generator(approximant="SEOBNRv4"))
