import math
import warnings

import pytest
import torch
from conventions.errors import UserError
from preprocessing.config import Preprocessing
from preprocessing.manifest import InputSpec
from preprocessing.q_transform import QTransform
from preprocessing.representations import Inputs

RATE = 512


def config(**changes):
    settings = {
        "ifos": ("H1", "L1"),
        "sample_rate": RATE,
        "kernel_length": 2.0,
        "fduration": 1.0,
        "highpass": 20.0,
    }
    return Preprocessing(**settings | changes)


def noise(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 2, 2 * RATE, generator=generator)


@pytest.mark.parametrize("bins", [(8, 16), (24, 64), (5, 2000)])
def test_white_noise_has_unit_mean_energy(bins):
    transform = QTransform(config(), bins, q=8.0)
    image = transform(noise(200))
    assert image.shape == (200, *transform.shape) == (200, 2, *bins)
    energy = image.square().mean((0, 1, 3))
    torch.testing.assert_close(
        energy, torch.ones_like(energy), rtol=0, atol=0.05
    )


@pytest.mark.parametrize(("time", "frequency"), [(0.7, 60.0), (1.4, 150.0)])
def test_a_sine_gaussian_is_where_it_is(time, frequency):
    t = torch.arange(2 * RATE) / RATE - time
    q = 8.0
    width = q / (2 * math.pi * frequency)
    pulse = torch.exp(-((t / width) ** 2)) * torch.cos(
        2 * math.pi * frequency * t
    )
    kernels = torch.stack([pulse, 0 * pulse])[None]
    transform = QTransform(config(lowpass=200.0), (60, 100), q)
    image = transform(kernels)[0]
    row, column = divmod(int(image[0].argmax()), 100)
    assert (column + 0.5) / 50 == pytest.approx(time, abs=0.03)
    found = 20 * 10 ** ((row + 0.5) / 60)
    assert found == pytest.approx(frequency, rel=0.1)
    assert not image[1].any()


def test_energy_of_a_row_is_that_of_the_windowed_spectrum():
    """Parseval: tiles times their mean energy is the window's energy."""
    transform = QTransform(config(), (30, 16), q=8.0)
    X = noise(4)
    spectrum = torch.fft.rfft(X.double()) / X.size(-1)
    for tile, mean in zip(transform.tiles, transform.energies, strict=True):
        windowed = spectrum[..., tile.indices] * tile.window
        expected = windowed.abs().square().sum(-1) / tile.ntiles()
        energy = tile(torch.fft.rfft(X, norm="forward"), norm=None)
        torch.testing.assert_close(
            energy.sum(-1).double(), expected, rtol=1e-4, atol=0
        )
        assert mean > 0


def test_as_an_input_traced_for_any_batch():
    arguments = {"spectrogram_shape": [12, 20], "q": 6.0}
    spec = InputSpec("image", (2, 12, 20), "q_transform", arguments)
    inputs = Inputs(config(), [spec])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(inputs, noise(1))
    for count in (1, 3):
        (found,) = traced(noise(count))
        assert found.shape == (count, 2, 12, 20)
        torch.testing.assert_close(found, inputs(noise(count))[0])


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({}, {"spectrogram_shape": [4]}, r"spectrogram_shape: \[4\] must"),
        ({}, {"spectrogram_shape": [0, 4]}, "spectrogram_shape"),
        ({}, {"spectrogram_shape": [4, 4], "q": 0}, "q: 0 must be positive"),
        (
            {},
            {"spectrogram_shape": [4, 4], "q": 80},
            "q: 80 does not suit kernels of 2 s at 512 Hz: The given q",
        ),
        (
            {"highpass": 250.0},
            {"spectrogram_shape": [4, 4]},
            "no tile fits between 250 Hz",
        ),
    ],
)
def test_errors(changes, arguments, message):
    with pytest.raises(UserError, match=message):
        QTransform(config(**changes), **arguments)
