from types import SimpleNamespace

import numpy as np
import pytest
from astropy.cosmology import Planck15
from bilby.core.prior import Cosine, PriorDict, Uniform
from bilby.gw.prior import UniformSourceFrame
from conventions.errors import UserError
from plots.injected import InjectedPrior
from plots.populations import Population
from plots.volume import RecoveredStatistics, Weights
from scipy.stats import lognorm

POPULATION = Population(35, 20)


def flat_prior(low=5.0, high=100.0, z_max=0.5, **extra):
    return PriorDict(
        {
            "mass_1": Uniform(low, high),
            "mass_2": Uniform(low, high),
            "redshift": UniformSourceFrame(
                0, z_max, name="redshift", cosmology=Planck15
            ),
            **extra,
        }
    )


def table(mass_1, mass_2, redshift, **extra):
    arrays = {"mass_1": mass_1, "mass_2": mass_2, "redshift": redshift}
    return SimpleNamespace(
        **{key: np.asarray(v, float) for key, v in (arrays | extra).items()}
    )


def log_normal(mass_1, mass_2):
    return np.log(
        lognorm.pdf(mass_1, 0.1, scale=35) * lognorm.pdf(mass_2, 0.1, scale=20)
    )


def relative(logs):
    return np.asarray(logs) - logs[0]


@pytest.mark.parametrize(("detector", "power"), [(True, 2), (False, 0)])
def test_weights_by_hand(detector, power):
    """Flat masses: the target over the Jacobian of the frame is left."""
    z = np.array([0.1, 0.2, 0.4])
    source_1, source_2 = np.array([35, 33, 40.0]), np.array([20, 21, 19.0])
    injected = InjectedPrior(flat_prior(), detector, "flat")
    logs = injected.draws(
        table(source_1 * (1 + z), source_2 * (1 + z), z)
    ).log_weights(POPULATION)
    expected = log_normal(source_1, source_2) - power * np.log(1 + z)
    np.testing.assert_allclose(relative(logs), relative(expected), atol=1e-4)


def test_another_redshift_distribution_is_weighted():
    """Uniform in redshift: what is left is dVc/dz/(1+z)."""
    prior = flat_prior()
    prior["redshift"] = Uniform(0, 0.5)
    z = np.array([0.1, 0.2, 0.4])
    logs = (
        InjectedPrior(prior, False, "flat")
        .draws(table(35 * (1 + z), 20 * (1 + z), z))
        .log_weights(POPULATION)
    )
    slope = Planck15.differential_comoving_volume(z).value / (1 + z)
    np.testing.assert_allclose(
        relative(logs), relative(np.log(slope)), atol=1e-8
    )


def test_another_sky_distribution_is_weighted():
    prior = flat_prior(dec=Uniform(-1, 1), ra=Uniform(0, np.pi))
    injected = InjectedPrior(prior, False, "flat")
    dec = np.array([0.0, 0.5, -0.9])
    z = np.full(3, 0.2)
    logs = injected.draws(
        table(35 * (1 + z), 20 * (1 + z), z, dec=dec, ra=[0.1, 1, 2])
    ).log_weights(POPULATION)
    np.testing.assert_allclose(
        relative(logs), relative(np.log(np.cos(dec))), atol=1e-12
    )


@pytest.mark.parametrize("detector", [True, False])
def test_prior_weights_leave_the_masses_as_they_are(detector):
    """Uniform in redshift and declination: only these are weighted."""
    prior = flat_prior(dec=Uniform(-1, 1), ra=Uniform(0, np.pi))
    prior["redshift"] = Uniform(0, 0.5)
    z, dec = np.array([0.1, 0.2, 0.4, 0.4]), np.array([0.0, 0.5, -0.9, -0.9])
    logs = InjectedPrior(prior, detector, "flat").prior_log_weights(
        table([50, 60, 70, 10], [40, 30, 20, 9], z, dec=dec, ra=np.ones(4))
    )
    slope = Planck15.differential_comoving_volume(z).value / (1 + z)
    np.testing.assert_allclose(
        relative(logs), relative(np.log(slope * np.cos(dec))), atol=1e-8
    )


def test_prior_weights_are_equal_for_an_astrophysical_prior():
    rng = np.random.default_rng(6)
    z = flat_prior()["redshift"].rescale(rng.uniform(size=500))
    logs = InjectedPrior(flat_prior(), True, "flat").prior_log_weights(
        table(np.full(500, 30.0), np.full(500, 30.0), z)
    )
    # Equal to the error with which bilby tabulates redshift.
    np.testing.assert_allclose(logs, np.median(logs), atol=1e-2)


def test_prior_weights_outside_the_prior():
    injected = InjectedPrior(flat_prior(), True, "flat")
    outside = table([30, 30], [20, 20], [0.2, 0.6])
    logs = injected.prior_log_weights(outside)
    with pytest.raises(UserError, match="1 of 2 kept injections"):
        Weights.from_logarithms(logs, [])


def test_total_volume_of_a_part_of_the_sky():
    z = np.linspace(0, 0.5, 20_001)
    slope = Planck15.differential_comoving_volume(z).to_value("Gpc3/sr")
    integral = np.trapezoid(slope / (1 + z), z)
    everything = InjectedPrior(flat_prior(), False, "flat").total_volume
    assert everything == pytest.approx(4 * np.pi * integral, rel=1e-7)
    prior = flat_prior(dec=Cosine(0, np.pi / 2), ra=Uniform(0, np.pi))
    quarter = InjectedPrior(prior, False, "flat").total_volume
    assert quarter == pytest.approx(np.pi * integral, rel=1e-7)


def test_weights_reproduce_an_expectation():
    """Weighted draws have the mean of a target drawn directly."""
    rng = np.random.default_rng(3)
    size = 400_000
    z = flat_prior()["redshift"].rescale(rng.uniform(size=size))
    masses = np.sort(rng.uniform(5, 100, (2, size)), axis=0)
    injected = InjectedPrior(flat_prior(), True, "flat")
    draws = injected.draws(table(masses[1], masses[0], z))
    weights = np.exp(draws.log_weights(POPULATION))
    weights /= weights.sum()
    ess = 1 / np.sum(weights**2)
    assert ess > 1000
    assert np.sum(weights * draws.mass_1_source) == pytest.approx(
        35 * np.exp(0.1**2 / 2), abs=5 * 3.5 / np.sqrt(ess)
    )
    # The redshift of the target does not depend on the injected masses.
    assert np.sum(weights * z) == pytest.approx(
        z.mean(), abs=5 * z.std() / np.sqrt(ess)
    )


def detected(mass_1, mass_2, redshift, rng):
    """Statistic of a search that hears chirp mass over distance."""
    chirp = (mass_1 * mass_2) ** 0.6 / (mass_1 + mass_2) ** 0.2
    orientation = rng.beta(2, 2, len(chirp))
    return chirp * orientation / redshift


@pytest.mark.parametrize("detector", [True, False])
def test_volume_is_that_of_a_directly_drawn_population(detector):
    """Broad, rejected and reweighted equals drawing the target itself."""
    rng = np.random.default_rng(8)
    size = 300_000
    z = flat_prior()["redshift"].rescale(rng.uniform(size=size))
    second, first = np.sort(rng.uniform(5, 100, (2, size)), axis=0)
    if not detector:
        first, second = first * (1 + z), second * (1 + z)
    statistics = detected(first, second, z, rng)
    kept = statistics > 20
    injected = InjectedPrior(flat_prior(), detector, "flat")
    logs = [
        injected.draws(table(first[m], second[m], z[m])).log_weights(
            POPULATION
        )
        for m in (kept, ~kept)
    ]
    thresholds = np.array([25.0, 40.0, 100.0])
    volume, error = RecoveredStatistics(statistics[kept]).volume(
        Weights.from_logarithms(*logs), thresholds, injected.total_volume
    )
    first, second = POPULATION.sample(size, seed=9)
    rng.shuffle(z)
    direct = detected(first * (1 + z), second * (1 + z), z, rng)
    fraction = np.mean(direct >= thresholds[:, None], axis=1)
    assert np.all(np.abs(fraction - 0.5) < 0.48)
    pull = (volume - injected.total_volume * fraction) / error
    assert np.all(np.abs(pull) < 4)
    assert np.all(error < 0.1 * injected.total_volume)


def test_target_equal_to_source_gives_equal_weights():
    rng = np.random.default_rng(4)
    z = flat_prior()["redshift"].rescale(rng.uniform(size=500))
    first, second = POPULATION.sample(500, seed=5)
    prior = flat_prior()
    prior["mass_1"], prior["mass_2"] = (
        POPULATION._prior["mass_1"],
        POPULATION._prior["mass_2"],
    )
    logs = (
        InjectedPrior(prior, False, "same")
        .draws(table(first * (1 + z), second * (1 + z), z))
        .log_weights(POPULATION)
    )
    # Equal to the error with which bilby tabulates redshift.
    assert np.ptp(logs) < 1e-2
    np.testing.assert_allclose(np.exp(logs - np.median(logs)), 1, atol=1e-2)


def test_coverage():
    whole = InjectedPrior(flat_prior(), False, "flat")
    assert whole.coverage(POPULATION) == 1.0
    half = InjectedPrior(flat_prior(low=5, high=35.0), False, "flat")
    assert half.coverage(POPULATION) == pytest.approx(0.5, abs=0.02)
    far = InjectedPrior(flat_prior(high=10.0), False, "flat")
    assert far.coverage(POPULATION) == 0.0


def test_empty_table():
    injected = InjectedPrior(flat_prior(), True, "flat")
    assert injected.draws(table([], [], [])).log_weights(POPULATION).size == 0
    assert injected.prior_log_weights(table([], [], [])).size == 0


def test_prior_over_other_parameters():
    prior = PriorDict({"chirp_mass": Uniform(5, 50), "mass_2": Uniform(1, 2)})
    with pytest.raises(UserError, match="no parameter mass_1, redshift"):
        InjectedPrior(prior, True, "odd")


def test_unknown_prior():
    with pytest.raises(UserError, match=r"priors\.priors\.nothing"):
        InjectedPrior.load("priors.priors.nothing")


def test_load_passes_arguments():
    injected = InjectedPrior.load(
        "priors.priors.gaussian_masses", {"m1": 30, "m2": 20}
    )
    assert not injected.detector_frame
    assert injected.redshift_range == (0.0, 2.0)
