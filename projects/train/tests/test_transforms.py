import numpy as np
import pytest
import torch
from preprocessing.batch import BatchWhitener
from preprocessing.config import Preprocessing
from preprocessing.psd import PsdEstimator
from preprocessing.whiten import Whitener
from scipy.signal import welch
from train.data.transforms import (
    Placement,
    TrainingTransform,
    ValidationTransform,
)

RATE = 256
PSD_SIZE = 8 * RATE


@pytest.fixture
def config():
    return Preprocessing(
        ifos=("H1", "L1"),
        sample_rate=RATE,
        kernel_length=1.5,
        fduration=1.0,
        highpass=20.0,
    )


@pytest.fixture
def placement(config):
    return Placement(config, 0.25, 0.25)


def noise(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 1e-21 * torch.randn(*shape, generator=generator)


def transform(config, placement, **changes):
    settings = {
        "swap_frac": 0.0,
        "mute_frac": 0.0,
        "invert_prob": 0.0,
        "reverse_prob": 0.0,
    }
    return TrainingTransform(config, 8.0, placement, **(settings | changes))


def pulses(count):
    polarizations = torch.zeros(count, 2, 4 * RATE)
    polarizations[..., 3 * RATE] = 1e-21
    return polarizations


def test_placement_stays_within_the_pads(placement):
    positions = placement.random(5000, torch.Generator().manual_seed(1))
    kernel = (positions - RATE // 2) / RATE
    assert kernel.min() == 0.25
    assert kernel.max() == 1.25
    assert kernel.mean() == pytest.approx(0.75, abs=0.02)
    views = (placement.even(5, torch.device("cpu")) - RATE // 2) / RATE
    assert views.tolist() == [0.25, 0.5, 0.75, 1.0, 1.25]
    assert placement.even(1, torch.device("cpu")).item() == 1.25 * RATE


def test_background_is_whitened_with_its_past(config, placement):
    X = noise(4, 2, PSD_SIZE + config.window_size)
    kernels, labels = transform(config, placement)(
        X,
        torch.zeros(0, 2, 1024),
        torch.zeros(0, dtype=torch.long),
        900,
        torch.zeros(0),
        torch.Generator(),
    )
    psd = PsdEstimator(RATE, 2.5)(X[..., :PSD_SIZE])
    expected = Whitener(config)(X[..., PSD_SIZE:], psd)
    torch.testing.assert_close(kernels, expected)
    assert torch.equal(labels, torch.zeros(4))


def test_signals_are_added_where_labelled(config, placement):
    X = noise(64, 2, PSD_SIZE + config.window_size)
    rows = torch.arange(1, 64, 3)
    snrs = torch.full((len(rows),), 200.0)
    arguments = X, pulses(len(rows)), rows, 3 * RATE, snrs
    kernels, labels = transform(config, placement)(
        *arguments, torch.Generator().manual_seed(1)
    )
    quiet, _ = transform(config, placement)(
        X, pulses(0), rows[:0], 0, snrs[:0], torch.Generator()
    )
    assert labels.nonzero().flatten().tolist() == rows.tolist()
    differs = (kernels - quiet).abs().amax(dim=(1, 2)) > 0
    assert torch.equal(differs, labels.bool())
    times = (kernels - quiet)[rows].abs().amax(1).argmax(-1) / RATE
    # the arrival is within a light travel time of the geocentre's
    assert times.min() >= 0.25 - 0.0215
    assert times.max() <= 1.25 + 0.0215


def test_injected_signals_have_the_drawn_snr(config, placement):
    """By scipy's PSD of the seconds before, from what was really added."""
    X = noise(6, 2, PSD_SIZE + config.window_size)
    t = torch.arange(-3 * RATE, RATE) / RATE
    wave = 1e-22 * torch.exp(-((t / 0.05) ** 2))
    tones = [torch.cos(2 * torch.pi * f * t) for f in (30, 50, 80)]
    polarizations = torch.stack([torch.stack([wave * x, wave]) for x in tones])
    rows, drawn = torch.tensor([0, 2, 5]), torch.tensor([8.0, 40.0, 90.0])
    change = transform(config, placement)
    change.whiten.forward = lambda X, psd: X
    kernels, _ = change(
        *(X, polarizations, rows, 3 * RATE, drawn),
        torch.Generator().manual_seed(3),
    )
    added = (kernels - X[..., PSD_SIZE:])[rows].double().numpy()

    size = 4 * RATE
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    spectra = np.fft.rfft(added, n=size) / RATE
    grid, psds = welch(
        X[rows, :, :PSD_SIZE].double().numpy(),
        RATE,
        nperseg=round(2.5 * RATE),
        average="median",
    )
    above = frequencies >= config.highpass
    for signal, psd, snr in zip(spectra, psds, drawn, strict=True):
        noises = np.stack([np.interp(frequencies, grid, p) for p in psd])
        density = 4 * np.abs(signal) ** 2 / noises
        found = (density[:, above].sum() * RATE / size) ** 0.5
        assert found == pytest.approx(float(snr), rel=1e-3)


def test_broken_signals_are_labelled_zero(config, placement):
    X = torch.full((200, 2, PSD_SIZE + config.window_size), 0.0)
    X += noise(1, 2, X.size(-1))
    rows = torch.arange(200)
    snrs = torch.full((200,), 500.0)
    change = transform(config, placement, swap_frac=0.0, mute_frac=0.3)
    kernels, labels = change(
        X, pulses(200), rows, 3 * RATE, snrs, torch.Generator().manual_seed(1)
    )
    silent = (kernels.abs().amax(-1) < 10).any(1)
    assert silent[labels == 0].all()
    assert silent[labels == 1].float().mean() < 0.05  # blind directions
    assert (labels == 0).float().mean() == pytest.approx(0.3, abs=0.1)


def test_a_batch_is_a_function_of_the_generator(config, placement):
    X = noise(8, 2, PSD_SIZE + config.window_size)
    rows = torch.arange(4)
    change = transform(
        config, placement, swap_frac=0.2, mute_frac=0.2, invert_prob=0.5
    )
    one, two, other = (
        change(
            X,
            pulses(4),
            rows,
            3 * RATE,
            torch.full((4,), 20.0),
            torch.Generator().manual_seed(seed),
        )
        for seed in (1, 1, 2)
    )
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert not torch.equal(one[0], other[0])


@pytest.mark.parametrize("signals", [0, 1, 6])
def test_validation_imitates_the_search(config, placement, signals):
    stride, window, pools, views = RATE // 2, 4, 3, 5
    count = window * pools
    X = noise(2, PSD_SIZE + config.window_size + (count - 1) * stride)
    responses = torch.zeros(signals, 2, 1024)
    responses[..., 900] = 1e-18
    validate = ValidationTransform(
        config, 8.0, placement, stride, window, views
    )
    background, foreground = validate(X, responses, 900)
    assert background.shape == (pools, window, 2, config.kernel_size)
    search = BatchWhitener(config, 8.0, 2.0, count)(X[None])
    torch.testing.assert_close(background.flatten(0, 1), search)
    assert foreground.shape == (signals, views, 2, config.kernel_size)
    peaks = foreground.abs().argmax(-1) / RATE
    expected = torch.tensor([0.25, 0.5, 0.75, 1.0, 1.25])
    expected = expected[:, None].expand(signals, views, 2)
    torch.testing.assert_close(peaks, expected)
