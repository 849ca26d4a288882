import itertools

import numpy as np
import pytest
import torch
from conventions.errors import UserError
from preprocessing.batch import BatchWhitener, fast_size
from preprocessing.config import Preprocessing
from preprocessing.psd import PsdEstimator
from preprocessing.snapshotter import Snapshotter
from preprocessing.whiten import Whitener

RATE = 256
STREAM = {"psd_length": 8.0, "inference_sampling_rate": 4.0, "batch_size": 8}


@pytest.fixture
def config():
    return Preprocessing(
        ifos=("H1", "L1"),
        sample_rate=RATE,
        kernel_length=1.5,
        fduration=1.0,
        highpass=20.0,
    )


def noise(*shape, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator)


def coloured(size, seed):
    """Noise with a slope and a line, at the amplitude of strain."""
    white = np.random.default_rng(seed).normal(size=(2, size))
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    asd = 1e-23 * (1 + (40 / np.maximum(frequencies, 5)) ** 2)
    asd[np.abs(frequencies - 60) < 0.5] *= 10
    spectrum = np.fft.rfft(white) * asd
    return torch.from_numpy(np.fft.irfft(spectrum, size)).float()


def outputs_of_stream(config, strain, stream=None):
    stream = stream or STREAM
    snapshotter = Snapshotter(config, **stream)
    whitener = BatchWhitener(config, **stream)
    state = torch.zeros(*strain.shape[:-1], snapshotter.state_size)
    kernels = []
    for update in strain.split(snapshotter.update_size, dim=-1):
        full, state = snapshotter(update, state)
        kernels.append(whitener(full))
    return kernels


def test_sizes(config):
    snapshotter = Snapshotter(config, **STREAM)
    assert snapshotter.state_size == round((1.5 + 1 + 8 - 0.25) * RATE)
    assert snapshotter.update_size == 2 * RATE


def test_snapshots_are_one_pass(config):
    snapshotter = Snapshotter(config, **STREAM)
    size, state_size = snapshotter.update_size, snapshotter.state_size
    strain = noise(2, 2, 12 * size)
    padded = torch.nn.functional.pad(strain, (state_size, 0))
    state = torch.zeros(2, 2, state_size)
    for i, update in enumerate(strain.split(size, dim=-1)):
        full, state = snapshotter(update, state)
        stop = state_size + (i + 1) * size
        assert torch.equal(full, padded[..., i * size : stop])
        assert torch.equal(state, full[..., -state_size:])


def test_whitened_noise_has_unit_variance():
    config = Preprocessing(
        ifos=("H1",), sample_rate=RATE, kernel_length=6.0, fduration=1.0
    )
    X = noise(64, 1, 7 * RATE, scale=1e-23)
    psd = torch.full((1, 3 * RATE), 2e-46 / RATE, dtype=torch.float64)
    whitened = Whitener(config)(X, psd)
    assert whitened.shape == (64, 1, 6 * RATE)
    assert whitened.dtype == torch.float32
    assert whitened.var() == pytest.approx(1, rel=0.02)
    assert whitened.mean() == pytest.approx(0, abs=0.02)


def test_whitened_noise_is_white(config):
    strain = coloured(200 * RATE, seed=3)
    psd = PsdEstimator(RATE, config.fftlength)(strain)
    whitened = Whitener(config)(strain[None], psd)
    spectrum = PsdEstimator(RATE, 1.0)(whitened[0]) * RATE / 2
    band = torch.cat([spectrum[:, 25:56], spectrum[:, 65:110]], dim=1)
    assert torch.all((band > 0.7) & (band < 1.4))
    assert band.mean() == pytest.approx(1, abs=0.07)
    assert torch.all(spectrum[:, :15] < 0.02)


def test_kernels_have_the_right_edges(config):
    """Output i's right edge is (i + 1) / rate - fduration / 2."""
    marks = [20.0 + 0.125 * i for i in range(9)]
    strain = noise(2, 30 * RATE, seed=1, scale=1e-23)
    quiet = outputs_of_stream(config, strain[None])
    for mark in marks:
        loud = strain.clone()
        loud[:, round(mark * RATE)] += 1e-20
        kernels = torch.cat(outputs_of_stream(config, loud[None]))
        difference = (kernels - torch.cat(quiet)).abs()
        largest = difference.max()
        for i in range(32, kernels.size(0)):
            right = (i + 1) / 4 - 0.5
            left = right - 1.5
            if left <= mark < right:
                peak = int(difference[i, 0].argmax())
                assert peak == round((mark - left) * RATE)
            elif right < mark - 0.6:
                # the filter reaches fduration / 2 before the mark
                assert difference[i].max() < 1e-3 * largest


def test_batches_match_whitening_kernel_by_kernel(config):
    strain = coloured(40 * RATE, seed=2)
    kernels = outputs_of_stream(config, strain[None])
    batch = 12
    start = (batch * 8 + 1) / 4 - 2.5 - 8  # first of full, in seconds
    psd = PsdEstimator(RATE, 2.5)(
        strain[:, round(start * RATE) : round((start + 8) * RATE)]
    )
    for i in range(8):
        left = round((start + 8 + i / 4) * RATE)
        window = strain[None, :, left : left + config.window_size]
        alone = Whitener(config)(window, psd)[0]
        error = (alone - kernels[batch][i]).std() / alone.std()
        assert error < 0.15  # longer data: finer grid, another mean


def test_injected_stream_is_whitened_with_the_background(config):
    whitener = BatchWhitener(config, **STREAM)
    size = Snapshotter(config, **STREAM)
    full = noise(1, 2, size.state_size + size.update_size, scale=1e-23)
    injected = full.clone()
    injected[..., 2 * RATE : 4 * RATE] *= 100  # within the PSD's data
    kernels = whitener(torch.cat([full, injected]))
    assert kernels.shape == (16, 2, config.kernel_size)
    assert kernels.dtype == torch.float32
    assert kernels.is_contiguous()
    torch.testing.assert_close(kernels[:8], whitener(full))
    torch.testing.assert_close(kernels[8:], kernels[:8])


def test_fast_sizes():
    assert [fast_size(n) for n in (1, 8, 9, 23, 1088)] == [2, 8, 10, 24, 1120]
    assert fast_size(35072) == 35280  # 2^4 3^2 5 7^2, instead of 2^8 137


def test_stretches_begin_early_for_a_fast_size(config):
    """And the kernels stay those of the data that they had."""
    whitener = BatchWhitener(config, **STREAM)
    assert whitener.early == 1120 - 1088
    assert whitener.stretch_start == whitener.psd_size - 32
    size = Snapshotter(config, **STREAM)
    full = noise(2, 2, size.state_size + size.update_size, scale=1e-23)
    stretch = full[..., whitener.stretch_start :]
    assert stretch.size(-1) == 1120
    psd = whitener.estimate(full[0, :, : whitener.psd_size])
    white = whitener.whitener(stretch, psd)
    for i, kernel in enumerate(whitener(full).unflatten(0, (2, 8))[1]):
        left = 32 + i * whitener.stride
        expected = white[1, :, left : left + config.kernel_size]
        torch.testing.assert_close(kernel, expected)
    short = BatchWhitener(config, 2.5, 4.0, 70)
    assert 0 <= short.early <= short.psd_size


def test_kernels_are_stream_major(config):
    whitener = BatchWhitener(config, **STREAM)
    size = Snapshotter(config, **STREAM)
    full = noise(1, 2, size.state_size + size.update_size)
    kernels = whitener(torch.cat([full, 3 * full]))
    torch.testing.assert_close(kernels[8:], 3 * kernels[:8])


def test_results_do_not_depend_on_batch_size_beyond_the_psd(config):
    strain = noise(1, 2, 24 * RATE, scale=1e-23)
    one = torch.cat(outputs_of_stream(config, strain))
    stream = {**STREAM, "batch_size": 1}
    other = torch.cat(outputs_of_stream(config, strain, stream))
    assert one.shape == other.shape
    assert (one[48:] - other[48:]).std() < 0.3 * one[48:].std()
    # the first kernel of a batch has the same data and PSD in both
    error = (one[48::8] - other[48::8]).std() / other[48::8].std()
    assert error < 0.1


@pytest.mark.parametrize("streams", itertools.permutations([1, 2]))
def test_traced_for_either_number_of_streams(config, streams, tmp_path):
    snapshotter = Snapshotter(config, **STREAM)
    whitener = BatchWhitener(config, **STREAM)
    size = snapshotter.update_size, snapshotter.state_size

    def inputs(count):
        return noise(count, 2, size[0]), noise(count, 2, size[1], seed=1)

    traced = [inputs(streams[0]), snapshotter(*inputs(streams[0]))[:1]]
    loaded = []
    for module, example in zip([snapshotter, whitener], traced, strict=True):
        path = tmp_path / "model.pt"
        torch.jit.trace(module, example).save(path)
        loaded.append(torch.jit.load(path))
    full, state = loaded[0](*inputs(streams[1]))
    expected = snapshotter(*inputs(streams[1]))
    assert torch.equal(full, expected[0])
    assert torch.equal(state, expected[1])
    torch.testing.assert_close(loaded[1](full), whitener(full))


def test_snapshotter_and_psd_can_be_scripted(config):
    snapshotter = Snapshotter(config, **STREAM)
    inputs = noise(2, 2, 512), noise(2, 2, snapshotter.state_size)
    scripted = torch.jit.script(snapshotter)
    assert torch.equal(scripted(*inputs)[0], snapshotter(*inputs)[0])
    estimator = PsdEstimator(RATE, 1.0)
    X = noise(2, 1024)
    assert torch.equal(torch.jit.script(estimator)(X), estimator(X))


@pytest.mark.parametrize("module", [Snapshotter, BatchWhitener])
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("psd_length", 2.0, "psd_length: 2 s must be at least fftlength 2.5"),
        ("psd_length", 8.001, r"psd_length of 8\.001 s"),
        ("inference_sampling_rate", 3, "must divide sample_rate 256 Hz"),
        ("inference_sampling_rate", 0, "must be positive"),
        ("inference_sampling_rate", 512, "must divide"),
        ("batch_size", 0, "batch_size: 0 must be at least 1"),
    ],
)
def test_errors(config, module, name, value, message):
    with pytest.raises(UserError, match=message):
        module(config, **{**STREAM, name: value})
