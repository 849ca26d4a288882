import numpy as np
import priors
import pytest
from astropy.cosmology import Planck15
from conventions.errors import UserError
from priors.sampling import draw, seeded, source_frame_density
from scipy import stats
from scipy.integrate import quad

TARGETS = {
    "log_normal_masses": {"m1": 35.0, "m2": 20.0},
    "gaussian_masses": {"m1": 35.0, "m2": 33.0},
}
NAMES = [
    "nonspin_bbh",
    "spin_bbh",
    "end_o3_ratesandpops",
    "end_o3_ratesandpops_bns",
    *TARGETS,
]
BILBY_PARAMETERS = {
    *("mass_1", "mass_2", "a_1", "a_2", "tilt_1", "tilt_2"),
    *("phi_12", "phi_jl", "ra", "dec", "redshift", "psi"),
    *("theta_jn", "phase"),
}


def load(name):
    return priors.load(f"priors.priors.{name}", TARGETS.get(name))


@pytest.mark.parametrize("name", NAMES)
def test_draws_are_ordered_complete_and_have_density(name):
    prior, detector_frame = load(name)
    with seeded(1):
        sample = draw(prior, detector_frame, 2000)
    targets = {"mass_1", "mass_2", "redshift", "ra", "dec"}
    assert set(sample) == (targets if name in TARGETS else BILBY_PARAMETERS)
    assert all(values.shape == (2000,) for values in sample.values())
    assert (sample["mass_1"] >= sample["mass_2"]).all()
    scale = 1 + sample["redshift"]
    density = source_frame_density(
        prior,
        detector_frame,
        sample["mass_1"] / scale,
        sample["mass_2"] / scale,
        sample["redshift"],
    )
    assert density.shape == (2000,)
    assert (density > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_density_is_normalised(name):
    """Nested Gauss-Legendre over mass_2 < mass_1, at one redshift."""
    prior, detector_frame = load(name)
    z = 0.1
    scale = 1 + z if detector_frame else 1
    low, high = {"end_o3_ratesandpops": (5, 100)}.get(name, (5, 100))
    if name == "end_o3_ratesandpops_bns":
        low, high = 1, 2.5
    if name in TARGETS:
        low, high = 5, 90
    low, high = low / scale, high / scale
    nodes, weights = np.polynomial.legendre.leggauss(300)
    nodes, weights = (nodes + 1) / 2, weights / 2
    mass_1 = low + (high - low) * nodes
    mass_2 = low + (mass_1[:, None] - low) * nodes
    density = source_frame_density(
        prior,
        detector_frame,
        np.broadcast_to(mass_1[:, None], mass_2.shape).ravel(),
        mass_2.ravel(),
        np.full(mass_2.size, z),
    ).reshape(mass_2.shape)
    inner = (density @ weights) * (mass_1 - low)
    total = (high - low) * inner @ weights / prior["redshift"].prob(z)
    assert total == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "maximum", "power"),
    [
        ("nonspin_bbh", 0.5, 1),
        ("end_o3_ratesandpops", 2, 0),
        ("end_o3_ratesandpops_bns", 0.15, 1),
        ("log_normal_masses", 2, 1),
    ],
)
def test_redshift_density(name, maximum, power):
    def density(z):
        volume = Planck15.differential_comoving_volume(z).value
        return volume / (1 + z) ** power

    norm, _ = quad(density, 0, maximum)
    z = np.linspace(0.01, maximum, 30)
    prior, _ = load(name)
    np.testing.assert_allclose(
        prior["redshift"].prob(z), density(z) / norm, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("first", "second"), [(35, 35), (35, 20), (22, 20), (20, 35)]
)
def test_ordered_fraction_has_its_closed_form(first, second):
    prior, _ = priors.load(
        "priors.priors.log_normal_masses", {"m1": first, "m2": second}
    )
    expected = stats.norm.cdf(np.log(first / second) / (0.1 * np.sqrt(2)))
    assert prior.ordered_fraction() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("first", "second"), [(35, 35), (35, 33), (20, 23)])
def test_ordered_fraction_of_gaussians(first, second):
    prior, _ = priors.load(
        "priors.priors.gaussian_masses", {"m1": first, "m2": second}
    )
    # Nothing of them is below zero.
    expected = stats.norm.cdf((first - second) / (2 * np.sqrt(2)))
    assert prior.ordered_fraction() == pytest.approx(expected, rel=1e-6)


def test_ordered_draws_follow_the_density():
    """The ratio of two log-normal masses is log-normal above one."""
    prior, frame = priors.load(
        "priors.priors.log_normal_masses", {"m1": 35, "m2": 33}
    )
    with seeded(4):
        sample = draw(prior, frame, 20_000)
    center, width = np.log(35 / 33), 0.1 * np.sqrt(2)
    ratio = np.log(sample["mass_1"] / sample["mass_2"])
    expected = stats.truncnorm(-center / width, np.inf, center, width)
    assert stats.kstest(ratio, expected.cdf).pvalue > 1e-3


def test_target_density_is_the_product_over_the_ordered_fraction():
    prior, _ = priors.load(
        "priors.priors.log_normal_masses", {"m1": 35, "m2": 35}
    )
    mass_1, mass_2 = np.array([36.0, 30, 40]), np.array([33.0, 35, 39])
    product = (
        stats.lognorm.pdf(mass_1, 0.1, scale=35)
        * stats.lognorm.pdf(mass_2, 0.1, scale=35)
        * (mass_1 >= mass_2)
    )
    density = prior.prob({"mass_1": mass_1, "mass_2": mass_2}, axis=0)
    np.testing.assert_allclose(density, 2 * product, rtol=1e-9)


def test_normalisation_follows_a_copy_and_a_changed_prior():
    prior, _ = priors.load(
        "priors.priors.log_normal_masses", {"m1": 35, "m2": 35}
    )
    masses = {"mass_1": np.array([36.0]), "mass_2": np.array([33.0])}
    before = prior.prob(masses, axis=0)
    np.testing.assert_allclose(prior.copy().prob(masses, axis=0), before)
    other, _ = priors.load(
        "priors.priors.log_normal_masses", {"m1": 35, "m2": 20}
    )
    prior["mass_2"] = other["mass_2"]
    np.testing.assert_allclose(
        prior.prob(masses, axis=0), other.prob(masses, axis=0)
    )


def test_density_of_one_ordered_mass_is_refused():
    prior, _ = load("nonspin_bbh")
    with pytest.raises(UserError, match="both masses are needed"):
        prior.prob({"mass_1": np.array([10.0])}, axis=0)


def test_rates_and_populations_masses_follow_their_power_laws():
    prior, detector_frame = load("end_o3_ratesandpops")
    with seeded(2):
        sample = draw(prior, detector_frame, 20_000)
    scale = 1 + sample["redshift"]
    mass_1, mass_2 = sample["mass_1"] / scale, sample["mass_2"] / scale
    u_1 = (mass_1**-1.35 - 5**-1.35) / (100**-1.35 - 5**-1.35)
    u_2 = (mass_2**2 - 25) / (mass_1**2 - 25)
    assert stats.kstest(u_1, "uniform").pvalue > 1e-3
    assert stats.kstest(u_2, "uniform").pvalue > 1e-3
    assert stats.kstest(np.sin(sample["dec"]), "uniform", (-1, 2)).pvalue > (
        1e-3
    )


def test_neutron_stars_fill_the_triangle_uniformly():
    prior, detector_frame = load("end_o3_ratesandpops_bns")
    density = source_frame_density(
        prior,
        detector_frame,
        np.array([1.4, 2.4, 2.4]),
        np.array([1.3, 1.3, 2.3]),
        np.full(3, 0.1),
    )
    expected = prior["redshift"].prob(0.1) * 2 / 1.5**2
    np.testing.assert_allclose(density, expected, rtol=1e-9)


def test_detector_frame_masses_are_redshifted_once():
    with seeded(3):
        source, _ = load("end_o3_ratesandpops")
        raw = draw(source, True, 50)
    with seeded(3):
        source, _ = load("end_o3_ratesandpops")
        sample = draw(source, False, 50)
    np.testing.assert_allclose(
        sample["mass_1"], raw["mass_1"] * (1 + raw["redshift"])
    )


def test_detector_frame_density_transforms_with_its_jacobian():
    prior, _ = load("nonspin_bbh")
    z = 0.25
    density = source_frame_density(
        prior, True, np.array([30.0]), np.array([20.0]), np.array([z])
    )
    expected = 2 / 95**2 * (1 + z) ** 2 * prior["redshift"].prob(z)
    np.testing.assert_allclose(density, expected, rtol=1e-9)


def test_seeded_repeats_and_restores():
    prior, frame = load("spin_bbh")
    with seeded(5):
        outer = draw(prior, frame, 3)["mass_1"]
        with seeded(6):
            draw(prior, frame, 7)
        after = draw(prior, frame, 3)["mass_1"]
    with seeded(5):
        assert (draw(prior, frame, 3)["mass_1"] == outer).all()
        assert (draw(prior, frame, 3)["mass_1"] == after).all()
    with seeded(None):
        pass


@pytest.mark.parametrize("size", [0, 1])
def test_small_draws_are_arrays(size):
    for name in NAMES:
        sample = draw(*load(name), size)
        assert all(values.shape == (size,) for values in sample.values())


def test_density_without_events_is_empty():
    prior, frame = load("nonspin_bbh")
    empty = np.zeros(0)
    assert source_frame_density(prior, frame, *[empty] * 3).shape == (0,)


def test_masses_without_spin_lie_in_a_given_range():
    prior, frame = priors.load(
        "priors.priors.nonspin_bbh",
        {"minimum_mass": 10.0, "maximum_mass": 50.0},
    )
    with seeded(6):
        sample = draw(prior, frame, 2000)
    assert sample["mass_2"].min() >= 10
    assert 48 < sample["mass_1"].max() <= 50
    assert (sample["mass_1"] >= sample["mass_2"]).all()
