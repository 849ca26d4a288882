import math

import pytest
import torch
from architectures.supervised import SupervisedTimeDomainFilterBank
from architectures.supervised.filter_bank import (
    SOLAR_MASS,
    newtonian_chirps,
)

RATE, SIZE = 512.0, 512


@pytest.fixture
def network():
    torch.manual_seed(2)
    return SupervisedTimeDomainFilterBank(
        2, RATE, num_filters=3, filter_size=64, stride=2, max_delay=3
    ).eval()


def kernel_with(network, delay=0, phase=0.0, start=40):
    """The second filter's template in both interferometers, loud."""
    cos, sin = network.filters.weight.detach().view(3, 2, 64)[1]
    X = torch.zeros(1, 2, 256)
    template = 20 * (cos * math.cos(phase) + sin * math.sin(phase))
    for channel, first in enumerate((start, start + delay)):
        X[0, channel, first : first + 64] = template
    return X


def test_logit_is_the_sum_of_likelihood_ratios_written_out(network):
    X = torch.randn(4, 2, 256)
    filters = network.filters.weight.detach().view(3, 2, 64)
    windows = X.unfold(-1, 64, 2)
    power = torch.einsum("bitk,mqk->bimqt", windows, filters)
    power = power.square().sum(3)
    late = torch.full_like(power[:, 1], -math.inf)
    for lag in range(-3, 4):
        moved = power[:, 1].roll(lag, -1)
        if lag > 0:
            moved[..., :lag] = -math.inf
        elif lag < 0:
            moved[..., lag:] = -math.inf
        late = torch.maximum(late, moved)
    total = power[:, 0] + late - 14.0
    expected = torch.logsumexp(total.flatten(1), 1)
    torch.testing.assert_close(network(X), expected)


def test_time_in_the_kernel_does_not_matter(network):
    with torch.no_grad():
        here = network(kernel_with(network, start=40))
        there = network(kernel_with(network, start=140))
    assert here > 5
    torch.testing.assert_close(here, there, rtol=1e-4, atol=1e-4)


def test_delays_of_the_network_are_coincident_and_longer_ones_are_not(
    network,
):
    with torch.no_grad():
        together = network(kernel_with(network))
        late = network(kernel_with(network, delay=6))
        too_late = network(kernel_with(network, delay=60))
    torch.testing.assert_close(together, late, rtol=1e-3, atol=1e-3)
    assert too_late < 0.7 * together


def test_chirps_have_unit_norm_and_quadratures():
    masses = torch.tensor([8.7, 20.0, 45.0])
    chirps = newtonian_chirps(masses, SIZE, RATE)
    assert chirps.shape == (3, 2, SIZE)
    torch.testing.assert_close(chirps.norm(dim=-1), torch.ones(3, 2))
    assert (chirps[:, 0] * chirps[:, 1]).sum(-1).abs().max() < 0.1
    # nothing after the coalescence
    end = math.ceil(SIZE * (1 - 1 / 17)) + 1
    assert (chirps[..., end:] == 0).all()


def test_chirps_sweep_as_a_newtonian_inspiral():
    mass = 10.0
    chirp = newtonian_chirps(torch.tensor([mass]), SIZE, RATE)[0]
    phase = torch.atan2(chirp[1].double(), chirp[0].double()).numpy()
    tau = 0.5
    index = round(SIZE * (1 - 1 / 17) - tau * RATE)
    step = (phase[index + 1] - phase[index - 1]) % (2 * math.pi)
    measured = step * RATE / (4 * math.pi)
    m = SOLAR_MASS * mass
    expected = (5 / (256 * tau)) ** 0.375 * m**-0.625 / math.pi
    assert measured == pytest.approx(expected, rel=0.01)
