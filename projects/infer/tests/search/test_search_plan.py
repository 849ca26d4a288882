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
    chosen = plan.make(32.0, manifest(), 4)
    # data up to 8 + (n + 1)/4 s: the first output needs 8 + 1 + 1.5 s
    assert chosen == plan.Plan(psd_length=8.25, batch_size=1, settling=9)
    assert chosen.psd_length + 9 / 4 <= 32 / 3
    assert plan.make(31.9, manifest(), 4).psd_length == 8.25
    assert plan.make(31.4, manifest(), 4).psd_length == 8.0


def test_long_stretches_keep_the_runs_settings():
    assert plan.make(4096.0, manifest(), 4) == plan.Plan(64.0, 128, 128)
    assert plan.make(210.0, manifest(), 4) == plan.Plan(64.0, 1, 9)


def test_shortest_stretch_gives_one_integrated_output():
    shortest = plan.shortest_stretch(manifest(), 4)
    assert shortest == 5 + 9 / 4 + 1
    assert plan.make(shortest, manifest(), 4) == plan.Plan(5.0, 1, 9)
    assert plan.make(shortest - 0.01, manifest(), 4) is None


def test_psd_is_never_longer_than_the_runs():
    assert plan.make(100.0, manifest(psd_length=4.0), 4).psd_length == 4.0


@given(
    duration=st.floats(0.0, 1000.0),
    psd_length=st.sampled_from([4.0, 8.0, 64.0]),
    rate=st.sampled_from([1.0, 4.0, 16.0]),
    batch_size=st.sampled_from([1, 7, 128]),
    window=st.sampled_from([1, 4, 16]),
)
def test_only_real_data_and_most_of_it(
    duration, psd_length, rate, batch_size, window
):
    used = manifest(psd_length, rate, batch_size)
    chosen = plan.make(duration, used, window)
    if chosen is None:
        assert duration < plan.shortest_stretch(used, window)
        return
    burn_in = chosen.psd_length * rate
    assert burn_in == round(burn_in)
    assert chosen.settling % chosen.batch_size == 0
    # first output kept: PSD, filter and kernel are data
    burn_in += chosen.settling
    assert (burn_in + 1) / rate >= chosen.psd_length + 2.5 - 1e-9
    assert duration * rate >= burn_in + window - 1e-6
    if chosen.psd_length > plan.shortest_psd(used):
        assert burn_in / rate <= duration / 3 + 1e-9
