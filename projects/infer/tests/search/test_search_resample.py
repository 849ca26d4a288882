import numpy as np
import pytest
from conventions.errors import UserError
from infer.search.resample import Resampler

RATES = [(4096.0, 1024.0), (16384.0, 2048.0), (4096.0, 3000.0)]


def tone(frequency, rate, first, size):
    return np.sin(2 * np.pi * frequency * (first + np.arange(size)) / rate)


@pytest.mark.parametrize(("rate", "new_rate"), RATES)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.89])
def test_tone_below_nyquist_keeps_amplitude_and_phase(rate, new_rate, share):
    frequency = share * new_rate / 2
    first, strain = Resampler(rate, new_rate)(
        1000, tone(frequency, rate, 1000, 20_000)
    )
    expected = tone(frequency, new_rate, first, len(strain))
    np.testing.assert_allclose(strain, expected, atol=1e-4)


@pytest.mark.parametrize(("rate", "new_rate"), RATES)
@pytest.mark.parametrize("share", [1.0, 1.05, 1.3])
def test_tone_above_nyquist_vanishes(rate, new_rate, share):
    frequency = min(share * new_rate / 2, 0.49 * rate)
    _, strain = Resampler(rate, new_rate)(0, tone(frequency, rate, 7, 20_000))
    assert len(strain) > 1000
    assert np.abs(strain).max() < 2e-5


@pytest.mark.parametrize("first", [4096, 4097, 4098, 4099])
def test_edges_are_left_out_and_nothing_more(first):
    resampler = Resampler(4096.0, 1024.0)
    strain = np.random.default_rng(1).normal(size=30_000)
    begin, inner = resampler(first, strain[first - 4096 :])
    _, outer = resampler(first, np.r_[strain[first - 4096 :], np.ones(99)])
    np.testing.assert_array_equal(inner, outer[: len(inner)])
    reach = len(resampler.taps) // 2
    assert 0 <= begin * 4 - first - reach < 8
    last = begin + len(inner) - 1
    assert 0 <= 4096 + 30_000 - 1 - last * 4 - reach < 8


def test_offset_and_step_at_the_edge_do_not_ring_inside():
    _, strain = Resampler(4096.0, 1024.0)(0, np.full(10_000, 1e6))
    np.testing.assert_allclose(strain, 1e6, rtol=1e-4)


def test_same_rate_is_untouched():
    strain = np.arange(5.0)
    first, same = Resampler(1024.0, 1024.0)(3, strain)
    assert first == 3
    assert same is strain


def test_shorter_than_the_filter_leaves_nothing():
    for size in range(1, 800, 50):
        _, strain = Resampler(4096.0, 1024.0)(5, np.ones(size))
        reach = len(Resampler(4096.0, 1024.0).taps) // 2
        assert len(strain) <= max(0, (size - 2 * reach) // 4 + 1)


def test_rate_too_low_or_odd():
    with pytest.raises(UserError, match=r"512 Hz is below .* 1024 Hz"):
        Resampler(512.0, 1024.0)
    with pytest.raises(UserError, match="small whole numbers"):
        Resampler(4096.123456789, 1024.0)
