import numpy as np
import pytest
from conventions.errors import UserError
from ledger.injections import BilbyParameterSet
from waveforms.estimate import SnrEstimate
from waveforms.rejection import RejectionSampler
from waveforms.response import detector_responses
from waveforms.snr import ifo_snrs

IFOS = ["H1", "L1"]


class Draws:
    """Random binaries, with a record of everything that was drawn."""

    def __init__(self, random_binaries, seed=7):
        self.random_binaries = random_binaries
        self.rng = np.random.default_rng(seed)
        self.given = []

    def __call__(self, count):
        draws = self.random_binaries(count, self.rng, precessing=False)
        self.given.append(draws)
        return draws

    @property
    def sequence(self):
        return BilbyParameterSet.concatenate(self.given)


@pytest.fixture
def sampler(random_binaries, generator, psds):
    def make(seed=7, **values):
        usual = {
            "draw": Draws(random_binaries, seed),
            "generator": generator(duration=4.0),
            "ifos": IFOS,
            "psds": psds(size=4096) * 20,
            "snr_threshold": 8.0,
            "highpass": 32.0,
        }
        return RejectionSampler(**(usual | values))

    return make


@pytest.mark.parametrize("estimating", [True, False])
def test_kept_and_rejected_are_the_draws_in_order(
    estimating, sampler, monkeypatch
):
    if not estimating:
        monkeypatch.setattr(SnrEstimate, "available", lambda _: False)
    sampler = sampler()
    result = sampler.sample(30)
    count = result.num_injections
    draws = sampler.draw.sequence[:count]
    strain = detector_responses(*sampler.generator(draws), draws, IFOS, 1024.0)
    exact = ifo_snrs(strain, sampler.psds, 1024.0, 32.0)
    loud = np.linalg.norm(exact, axis=1) >= 8
    assert loud.sum() == len(result.kept) == 30
    assert loud[-1]
    assert len(result.rejected) == count - 30
    for name in draws.columns():
        column = getattr(draws, name)
        np.testing.assert_array_equal(getattr(result.kept, name), column[loud])
        np.testing.assert_array_equal(
            getattr(result.rejected, name), column[~loud]
        )
    np.testing.assert_allclose(result.kept.ifo_snrs, exact[loud], rtol=1e-6)
    np.testing.assert_allclose(
        result.rejected.ifo_snrs, exact[~loud], rtol=1e-2
    )
    np.testing.assert_allclose(
        result.kept.snr, np.linalg.norm(result.kept.ifo_snrs, axis=1)
    )
    scale = np.abs(strain[loud]).max(axis=-1, keepdims=True)
    np.testing.assert_allclose(
        result.responses / scale, strain[loud] / scale, atol=1e-6
    )


def test_no_draw_is_used_twice(sampler):
    result = sampler().sample(60)
    masses = np.concatenate([result.kept.mass_1, result.rejected.mass_1])
    assert len(np.unique(masses)) == len(masses) == result.num_injections


def test_snrs_can_be_found_again_in_the_responses(sampler):
    sampler = sampler()
    result = sampler.sample(10)
    again = ifo_snrs(result.responses, sampler.psds, 1024.0, 32.0)
    np.testing.assert_allclose(result.kept.ifo_snrs, again, rtol=1e-5)
    assert result.kept.ifos == result.rejected.ifos == IFOS
    assert result.responses.dtype == np.float32


def test_threshold_of_zero_keeps_every_draw(sampler):
    result = sampler(snr_threshold=0.0).sample(20)
    assert result.num_injections == 20
    assert len(result.rejected) == 0
    assert result.rejected.ifo_snrs.shape == (0, 2)


def test_nothing_asked_for(sampler):
    result = sampler().sample(0)
    assert result.num_injections == 0
    assert result.responses.shape == (0, 2, 4096)
    assert result.kept.ifo_snrs.shape == (0, 2)


def test_impossible_threshold_gives_up(sampler):
    hopeless = sampler(
        snr_threshold=1e6, minimum_acceptance=0.01, source="'my.prior'"
    )
    with pytest.raises(UserError) as caught:
        hopeless.sample(5)
    message = str(caught.value)
    assert "from 'my.prior' reach a network SNR of 1000000.0" in message
    assert "0 of " in message


def test_progress_counts_the_kept(sampler):
    seen = []

    def progress(iterable, total=None, description=""):
        for item in iterable:
            seen.append((item, total))
            yield item

    sampler().sample(7, progress)
    assert seen == [(number, 7) for number in range(1, 8)]


def test_acceptance_is_unbiased(sampler):
    """The number of draws follows from the fraction that is loud."""
    reference = sampler(seed=1, snr_threshold=0.0).sample(600)
    fraction = np.mean(reference.kept.snr >= 8)
    result = sampler(seed=2).sample(150)
    expected = 150 / fraction
    spread = expected * np.sqrt(
        (1 - fraction) * (1 / 150 + 1 / 600 / fraction)
    )
    assert abs(result.num_injections - expected) < 4 * spread
