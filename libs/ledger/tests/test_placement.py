import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ledger.placement import add_waveform, first_samples


@given(
    st.lists(st.floats(0, 1000), min_size=1, max_size=20),
    st.sampled_from([16.0, 1000.0, 2048.0, 4000.0, 16384.0]),
    st.sampled_from([0.0, 1_126_259_462.0, 1_400_000_000.4]),
    st.integers(0, 10**6),
)
def test_place_does_not_depend_on_the_start(times, rate, origin, cut):
    times = origin + np.array(times)
    from_origin = first_samples(times, origin, rate, 1.0)
    from_cut = first_samples(times, origin + cut / rate, rate, 1.0)
    np.testing.assert_array_equal(from_origin - cut, from_cut)


@given(st.floats(0, 1000), st.sampled_from([1000.0, 2048.0]))
def test_place_is_the_nearest_sample(time, rate):
    origin = 1_126_259_462.0
    (first,) = first_samples(np.array([origin + time]), origin, rate, 0.0)
    assert abs(first - time * rate) <= 0.5 + 2e-3


def test_halves_go_up():
    times = np.array([0.5, 1.5, 2.5])
    assert first_samples(times, 0.0, 1.0, 0.0).tolist() == [1, 2, 3]


def test_left_padding_is_subtracted():
    (first,) = first_samples(np.array([5.0]), 1.0, 16.0, 3.5)
    assert first == 16 * 4 - 56


def test_add_waveform_cuts_at_both_edges():
    channel = np.zeros(4)
    add_waveform(channel, np.arange(1.0, 8), -2)
    assert channel.tolist() == [3, 4, 5, 6]
    add_waveform(channel, np.ones(3), 4)
    add_waveform(channel, np.ones(3), -3)
    assert channel.tolist() == [3, 4, 5, 6]
