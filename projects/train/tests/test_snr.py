from itertools import pairwise

import numpy as np
import pytest
import torch
from conventions.errors import UserError
from scipy import stats
from train.snr import SnrSampler


@pytest.mark.parametrize("alpha", [-3.0, -2.0, -1.0, 1.0])
def test_power_law(alpha):
    sampler = SnrSampler(max_snr=100, min_min_snr=4, alpha=alpha)
    snrs = sampler.sample(20000, 0, torch.Generator().manual_seed(1)).numpy()
    assert snrs.min() >= 4
    assert snrs.max() <= 100
    power = alpha + 1

    def cdf(x):
        if power == 0:
            return np.log(x / 4) / np.log(25)
        return (x**power - 4**power) / (100**power - 4**power)

    assert stats.kstest(snrs, cdf).pvalue > 0.01


def test_schedule_lowers_the_minimum():
    sampler = SnrSampler(100, 4, 12, decay_steps=100)
    minima = [sampler.minimum(step) for step in range(0, 121, 10)]
    assert minima[0] == 12
    assert minima[5] == pytest.approx(8)
    assert minima[10:] == [4, 4, 4]
    assert all(a > b for a, b in pairwise(minima[:11]))
    generator = torch.Generator().manual_seed(1)
    assert sampler.sample(5000, 0, generator).min() == pytest.approx(12, 0.01)
    assert sampler.sample(5000, 200, generator).min() == pytest.approx(4, 0.01)


@pytest.mark.parametrize(
    "arguments",
    [
        {"min_min_snr": 0},
        {"max_snr": 4},
        {"min_min_snr": 8, "max_min_snr": 5},
        {"max_min_snr": 200},
        {"decay_steps": -1},
    ],
)
def test_errors(arguments):
    with pytest.raises(UserError, match="snr_sampler"):
        SnrSampler(**arguments)
