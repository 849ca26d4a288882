import numpy as np
import pytest
from conventions.errors import UserError
from datagen import psds, simulate
from datagen.glitches import GlitchConfig
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

START = 1_000_000_000
RATE = 1024


@pytest.fixture(scope="module")
def psd() -> psds.Psd:
    return psds.load("aLIGO_ZERO_DET_high_P_psd")


def make(psd, start=START, duration=64.0, **options) -> np.ndarray:
    settings = {"ifo": "H1", "sample_rate": RATE, "seed": 7} | options
    return simulate.noise(psd, start=start, duration=duration, **settings)


def test_spectrum_is_the_target_across_files(psd):
    # 500.5 s do not end on a block of random numbers
    parts = [
        make(psd, START, 500.5),
        make(psd, START + 500.5, 523.5),
    ]
    data = np.concatenate(parts)
    frequencies, found = signal.welch(
        data, RATE, nperseg=4 * RATE, detrend=False
    )
    band = (frequencies >= 25) & (frequencies <= 490)
    ratio = found[band] / psd(frequencies[band])
    # 50% overlapping Hann windows: variance 1/n, times 1.06
    # (Welch 1967), n windows; neighbouring bins are correlated
    windows = 2 * len(data) // (4 * RATE) - 1
    error = np.sqrt(1.06 / windows)
    assert ratio.std() == pytest.approx(error, rel=0.1)
    assert abs(ratio - 1).max() < 5 * error
    assert ratio.mean() == pytest.approx(1, abs=5 * error / band.sum() ** 0.5)


def test_spectrum_at_the_seams_is_that_elsewhere(psd):
    # windows of 2 s centred on edges of blocks and of files
    data = np.concatenate([make(psd, START + 32 * i, 32) for i in range(40)])
    seams = np.arange(16, 40 * 32, 16) * RATE
    window = signal.windows.hann(2 * RATE, sym=False)
    pieces = np.stack([data[s - RATE : s + RATE] for s in seams])
    power = np.abs(np.fft.rfft(pieces * window)) ** 2
    found = 2 * power.mean(0) / (RATE * (window**2).sum())
    frequencies = np.fft.rfftfreq(2 * RATE, 1 / RATE)
    band = (frequencies >= 25) & (frequencies <= 490)
    ratio = found[band] / psd(frequencies[band])
    error = 1 / np.sqrt(len(seams))
    assert ratio.mean() == pytest.approx(
        1, abs=5 * error * np.sqrt(2 / band.sum())
    )
    assert abs(ratio - 1).max() < 6 * error


def test_noise_is_gaussian(psd):
    data = make(psd, duration=256)
    whitened = signal.lfilter(
        *signal.butter(4, [100, 110], "band", fs=RATE), data
    )
    samples = whitened[RATE::RATE]
    kurtosis = np.mean(samples**4) / np.mean(samples**2) ** 2
    assert kurtosis == pytest.approx(3, abs=5 * np.sqrt(24 / len(samples)))


def test_below_the_band_the_density_stays(psd):
    data = make(psd, duration=1024)
    frequencies, found = signal.welch(data, RATE, nperseg=2 * RATE)
    band = (frequencies >= 5) & (frequencies <= 18)
    expected = psd(np.array([simulate.MINIMUM_FREQUENCY]))
    assert np.mean(found[band] / expected) == pytest.approx(1, abs=0.05)


@settings(max_examples=25, deadline=None)
@given(
    begin=st.integers(0, 64 * 128 - 1),
    size=st.integers(1, 40 * 128),
    rate_per_hour=st.sampled_from([0.0, 2000.0]),
)
def test_any_cut_gives_the_same_bits(begin, size, rate_per_hour):
    flat = psds.Psd(np.array([0.0, 64.0]), np.array([1e-46, 3e-46]), "flat")
    config = GlitchConfig(rate_per_hour, frequency=(25, 60))
    options = {
        "ifo": "H1",
        "sample_rate": 128,
        "seed": 3,
        "glitch_config": config,
    }
    # starts 3 s into a block
    whole = simulate.strain(flat, start=START + 3, duration=104, **options)
    part = simulate.strain(
        flat, start=START + 3 + begin / 128, duration=size / 128, **options
    )
    assert np.array_equal(part, whole[begin : begin + size])


def test_sample_depends_on_time_alone_at_the_rate_of_the_pipeline(psd):
    whole = make(psd, duration=100, sample_rate=2048)
    cut = 33 * 2048 + 17
    left = make(psd, duration=cut / 2048, sample_rate=2048)
    right = make(
        psd,
        START + cut / 2048,
        100 - cut / 2048,
        sample_rate=2048,
    )
    assert np.array_equal(np.concatenate([left, right]), whole)


def test_interferometers_and_seeds_are_independent(psd):
    data = make(psd, duration=256)
    for other in (
        make(psd, duration=256, ifo="L1"),
        make(psd, duration=256, seed=8),
        make(psd, START + 256, duration=256),
    ):
        frequencies, coherence = signal.coherence(
            data, other, RATE, nperseg=RATE
        )
        band = (frequencies >= 25) & (frequencies <= 500)
        # about 1/n for n independent windows
        assert coherence[band].mean() < 2 / 256


def test_same_arguments_same_bits(psd):
    assert np.array_equal(make(psd), make(psd))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": START + 0.0001}, "start.*not a whole number of samples"),
        ({"duration": 1.0001}, "duration.*not a whole number of samples"),
        ({"sample_rate": 1024.5}, "sample_rate: 1024.5"),
        (
            {"sample_rate": 65536},
            r"aLIGO_ZERO_DET_high_P_psd.*\[20, 32768\] Hz",
        ),
    ],
)
def test_rejects(psd, options, message):
    with pytest.raises(UserError, match=message):
        make(psd, **options)


def test_real_spectrum_with_lines(real_data):
    psd = psds.load(real_data / "psds" / "H1" / "psd-0.hdf")
    data = make(psd, duration=512, sample_rate=2048)
    frequencies, found = signal.welch(data, 2048, nperseg=8 * 2048)
    band = (frequencies >= 25) & (frequencies <= 950)
    ratio = found[band] / psd(frequencies[band])
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    # 60 Hz line: 1 Hz wide, the filter resolves 0.25 Hz
    line = np.argmin(abs(frequencies[band] - 60))
    assert ratio[line] == pytest.approx(1, abs=0.6)
