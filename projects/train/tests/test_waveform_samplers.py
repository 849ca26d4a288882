import numpy as np
import pytest
import torch
from conventions.errors import UserError
from ml4gw.distributions import Cosine, DeltaFunction, PowerLaw, Sine
from torch.distributions import Uniform
from train.waveforms import CBCGenerator, Prior, WaveformLoader, parameters

RATE = 256


def prior(**changes):
    settings = {
        "distributions": {
            "mass_1": PowerLaw(10.0, 60.0, -2.35),
            "mass_2": Uniform(10.0, 60.0),
            "chi_1": Uniform(-0.5, 0.5),
            "chi_2": DeltaFunction(0.0),
            "theta_jn": Sine(),
            "phase": Uniform(0.0, 6.28),
            "redshift": Uniform(0.0, 0.5),
        },
        "conversions": [parameters.detector_frame],
        "constraints": [parameters.ordered_masses],
    }
    return Prior(**settings | changes)


def spin_is_no_number(given):
    return {"chi_1": given["chi_1"] + torch.nan}


def generator(**changes):
    settings = {
        "approximant": "IMRPhenomD",
        "prior": prior(),
        "waveform_duration": 2.0,
        "right_pad": 0.5,
    }
    return CBCGenerator(**settings | changes)


def rng(seed=1):
    return np.random.default_rng(seed)


def test_prior_is_a_function_of_its_generator_alone():
    before = torch.random.get_rng_state()
    one, two = prior().sample(50, rng()), prior().sample(50, rng())
    other = prior().sample(50, rng(2))
    assert torch.equal(before, torch.random.get_rng_state())
    for name, values in one.items():
        assert values.dtype == torch.float64
        assert torch.equal(values, two[name])
    assert not torch.equal(one["mass_1"], other["mass_1"])


def test_rejected_are_drawn_again_and_no_more():
    """Each draw is as large as what was left, and no draw is used twice."""
    drawn = []

    class Counted(Uniform):
        def sample(self, shape):
            drawn.append(super().sample(shape))
            return drawn[-1]

    half = Prior(
        {"x": Counted(0.0, 1.0)},
        constraints=[parameters.Within("x", 0.0, 0.5)],
    )
    kept = half.sample(4000, rng())["x"]
    assert kept.max() <= 0.5
    assert len(kept.unique()) == len(kept.float().unique())
    left = 4000
    for values in drawn:
        assert len(values) == left
        left = int((values > 0.5).sum())
    assert left == 0
    everything = torch.cat(drawn).double()
    expected = everything[everything <= 0.5].sort().values
    assert torch.equal(kept.sort().values, expected)


def test_constrained_draws_follow_the_constrained_distribution():
    ordered = Prior(
        {"mass_1": Uniform(0.0, 1.0), "mass_2": Uniform(0.0, 1.0)},
        constraints=[parameters.ordered_masses],
    )
    found = ordered.sample(20000, rng())
    assert (found["mass_1"] >= found["mass_2"]).all()
    # density 2 m_1 on [0, 1] and 2 (1 - m_2)
    assert found["mass_1"].mean() == pytest.approx(2 / 3, abs=0.01)
    assert found["mass_2"].mean() == pytest.approx(1 / 3, abs=0.01)


def test_conversions():
    given = {
        "chirp_mass": torch.tensor([1.2187707886]),
        "mass_ratio": torch.tensor([1.0]),
        "redshift": torch.tensor([0.5]),
        "a_1": torch.tensor([0.5]),
        "a_2": torch.tensor([0.4]),
        "tilt_1": torch.tensor([torch.pi]),
        "tilt_2": torch.tensor([torch.pi / 3]),
    }
    masses = parameters.component_masses(given)
    for mass in masses.values():
        torch.testing.assert_close(mass, torch.tensor([1.4]))
    redshifted = parameters.detector_frame(given | masses)
    torch.testing.assert_close(redshifted["mass_2"], torch.tensor([2.1]))
    chi = parameters.aligned_spins(given)
    torch.testing.assert_close(chi["chi_1"], torch.tensor([-0.5]))
    torch.testing.assert_close(chi["chi_2"], torch.tensor([0.2]))
    quantiles = {
        "mass_1": torch.full((3,), 30.0),
        "quantile": torch.tensor([0.0, 0.5, 1.0]),
    }
    masses = parameters.LighterMass(minimum=5.0, index=1.0)(quantiles)
    expected = torch.tensor([5, (0.5 * (25 + 900)) ** 0.5, 30])
    torch.testing.assert_close(masses["mass_2"], expected)


def test_prior_mistakes():
    with pytest.raises(UserError, match="distributions must not be empty"):
        Prior({})
    hopeless = [parameters.Within("mass_1", 70.0, 80.0)]
    conversions = []
    with pytest.raises(UserError, match="still reject 3 of 3 binaries"):
        prior(constraints=hopeless, conversions=conversions).sample(3, rng())
    with pytest.raises(UserError, match="Within needs the parameter 'x'"):
        prior(constraints=[parameters.Within("x", 0, 1)]).sample(3, rng())
    with pytest.raises(UserError, match="aligned_spins needs the parameter"):
        prior(conversions=[parameters.aligned_spins]).sample(3, rng())


def test_generator_makes_what_was_drawn(tmp_path):
    source = generator()
    source.prepare(tmp_path, RATE)
    assert (source.size, source.coalescence) == (512, 384)
    assert source.files(tmp_path) == []
    drawn = source.draw(9, rng())
    assert set(drawn) == set(source.polarizations.names)
    waveforms = source(drawn)
    assert waveforms.shape == (9, 2, 512)
    assert torch.equal(waveforms, source(source.draw(9, rng())))
    assert len(waveforms[:, 0].abs().amax(-1).unique()) == 9
    assert source(source.draw(0, rng())).shape == (0, 2, 512)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"approximant": "IMRPhenomPv2"}, "IMRPhenomPv2 needs a_1, a_2"),
        ({"approximant": "none"}, "approximant: 'none' is not one of"),
        ({"minimum_frequency": 200.0}, "minimum_frequency: 200.0 Hz"),
        (
            {"prior": prior(conversions=[spin_is_no_number])},
            "has no waveform for a binary",
        ),
    ],
)
def test_generator_mistakes_are_found_before_training(
    tmp_path, changes, message
):
    with pytest.raises(UserError, match=message):
        generator(**changes).prepare(tmp_path, RATE)


@pytest.mark.parametrize("chunk_size", [1, 4, 64])
def test_loader_reads_chunks(directories, chunk_size):
    waveforms = directories[1]
    loader = WaveformLoader(chunk_size)
    loader.prepare(waveforms, RATE)
    assert loader.files(waveforms) == [waveforms / "train_waveforms.hdf5"]
    assert (loader.size, loader.coalescence) == (1024, 896)
    everything = loader.reader.read(range(30))
    found = loader(loader.draw(50, rng()))
    assert found.shape == (50, 2, 1024)
    starts = rng().integers(30, size=-(-50 // chunk_size))
    rows = [(s + i) % 30 for s in starts for i in range(chunk_size)][:50]
    np.testing.assert_array_equal(found, everything[rows])


def test_every_waveform_is_as_likely(directories):
    loader = WaveformLoader(chunk_size=7)
    loader.prepare(directories[1], RATE)
    loader.reader.read = lambda rows: np.asarray(rows)
    counts = np.zeros(30)
    for seed in range(300):
        rows = loader.draw(70, rng(seed))["polarizations"]
        counts += np.bincount(rows, minlength=30)
    # 3000 chunks: each waveform is in 700 +- 23 of them
    assert np.abs(counts - 700).max() < 5 * 23


def test_loader_mistakes(directories, tmp_path):
    with pytest.raises(UserError, match="chunk_size: 0 must be at least 1"):
        WaveformLoader(0)
    with pytest.raises(UserError, match=r"there is no .*train_waveforms"):
        WaveformLoader().prepare(tmp_path, RATE)


def test_angles_of_ml4gw_are_isotropic():
    sky = Prior({"dec": Cosine()}).sample(2000, rng())["dec"]
    assert torch.sin(sky).mean() == pytest.approx(0, abs=0.05)
