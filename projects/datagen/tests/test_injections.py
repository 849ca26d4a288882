import numpy as np
import pytest
from conventions.errors import UserError
from datagen.injections import injection_times, stable_seed
from hypothesis import given
from hypothesis import strategies as st


def times(start=0.0, stop=200.0, **values):
    usual = {"spacing": 16.0, "buffer": 10.0, "duration": 8.0, "jitter": 0.0}
    rng = np.random.default_rng(1)
    return injection_times(start, stop, rng=rng, **(usual | values))


def test_times_start_and_stop_half_a_waveform_inside_the_buffers():
    found = times(1000.0, 1000 + 20 + 8 + 5 * 24)
    np.testing.assert_array_equal(found, 1014 + 24 * np.arange(6))
    assert len(times(1000.0, 1000 + 20 + 8 + 5 * 24 - 0.5)) == 5


@pytest.mark.parametrize(("length", "count"), [(27.9, 0), (28, 1), (5, 0)])
def test_short_stretches(length, count):
    assert times(0.0, length).shape == (count,)


@given(
    length=st.floats(1, 5000),
    spacing=st.floats(0, 50),
    buffer=st.floats(0, 50),
    fraction=st.floats(0, 1),
)
def test_waveforms_never_overlap_nor_leave(length, spacing, buffer, fraction):
    jitter = fraction * min(spacing / 2, buffer)
    found = times(
        50.0, 50 + length, spacing=spacing, buffer=buffer, jitter=jitter
    )
    assert (np.diff(found) >= 8 - 1e-6).all()
    assert (found >= 50 + 4 - 1e-6).all()
    assert (found <= 50 + length - 4 + 1e-6).all()
    exact = times(50.0, 50 + length, spacing=spacing, buffer=buffer)
    assert (np.abs(found - exact) <= jitter).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"jitter": 8.1}, "jitter is 8.1 s, but at most 8.0 s"),
        ({"jitter": 3.0, "buffer": 2.0}, "at most 2.0 s"),
        ({"jitter": -1.0}, "jitter is -1.0"),
        ({"spacing": -1.0}, "spacing is -1.0"),
        ({"buffer": float("nan")}, "buffer is nan"),
        ({"stop": 0.0}, "from 0.0 to 0.0"),
    ],
)
def test_bad_settings(values, message):
    with pytest.raises(UserError, match=message):
        times(**values)


def test_seed_is_stable_and_tells_contexts_apart():
    assert stable_seed(3, 1.0, (0.0, 1.0)) == (
        331039684303299393975366194810659026359
    )
    contexts = [(1.0, 2.0), (2.0, 1.0), (1.0, (2.0,)), ("1.0", 2.0)]
    seeds = {stable_seed(seed, *c) for c in contexts for seed in (0, 1)}
    assert len(seeds) == 8
