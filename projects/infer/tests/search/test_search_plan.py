import pytest
from hypothesis import given
from hypothesis import strategies as st
from infer.search import plan
from preprocessing.config import Preprocessing
from preprocessing.manifest import Manifest

CONFIG = Preprocessing(
    ifos=("H1", "L1"),
    sample_rate=1024.0,
    kernel_length=1.5,
    fduration=1.0,
    highpass=32.0,
)


def manifest(psd_length=64.0, rate=4.0, batch_size=128):
    return Manifest(
        preprocessing=CONFIG,
        left_pad=0.25,
        right_pad=0.05,
        inputs=(),
        weights_sha256="",
        psd_length=psd_length,
        inference_sampling_rate=rate,
        batch_size=batch_size,
        platform="python",
    )


def test_32_seconds_get_a_psd_of_8_and_keep_two_thirds():
    chosen = plan.make(32.0, manifest())
    assert chosen.batch_size == 1
    assert chosen.psd_length == 8.0
    assert chosen.outputs == 128
    # data up to (n + 1)/4 s: the first output needs 8 + 1 + 1.5 s
    assert (chosen.burn_in + 1) / 4 == 10.5


def test_long_stretches_keep_the_runs_settings():
    chosen = plan.make(4096.0, manifest())
    assert (chosen.psd_length, chosen.batch_size) == (64.0, 128)
    # first batch with 66.5 s of data before its first output
    assert chosen.burn_in == 3 * 128
    chosen = plan.make(210.0, manifest())
    assert (chosen.psd_length, chosen.batch_size) == (64.0, 1)
    assert chosen.burn_in == 66.5 * 4 - 1


def test_shortest_stretch_gives_one_output():
    shortest = plan.shortest_stretch(manifest())
    assert shortest == 5 + 2.5
    chosen = plan.make(shortest, manifest())
    assert chosen.outputs - chosen.burn_in == 1
    assert plan.make(shortest - 0.01, manifest()) is None


def test_psd_is_never_longer_than_the_runs():
    assert plan.make(100.0, manifest(psd_length=4.0)).psd_length == 4.0


@given(
    duration=st.floats(0.0, 1000.0),
    psd_length=st.sampled_from([4.0, 8.0, 64.0]),
    rate=st.sampled_from([1.0, 4.0, 16.0]),
    batch_size=st.sampled_from([1, 7, 128]),
)
def test_only_real_data_and_most_of_it(duration, psd_length, rate, batch_size):
    used = manifest(psd_length, rate, batch_size)
    chosen = plan.make(duration, used)
    if chosen is None:
        assert duration < plan.shortest_stretch(used)
        return
    assert chosen.psd_length * rate == pytest.approx(
        round(chosen.psd_length * rate)
    )
    assert chosen.burn_in % chosen.batch_size == 0
    # first output of the first batch kept: PSD, filter and kernel are data
    assert (chosen.burn_in + 1) / rate >= chosen.psd_length + 2.5 - 1e-9
    if chosen.psd_length > plan.shortest_psd(used):
        assert chosen.burn_in / rate <= duration / 3 + 1e-9
