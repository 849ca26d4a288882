import numpy as np
import pytest
import torch
from conventions.errors import UserError
from preprocessing.psd import PsdEstimator, _middle, median_bias
from scipy import signal


@pytest.mark.parametrize("fftlength", [0.5, 1.0, 2.5, 0.515625])
@pytest.mark.parametrize("overlap", [None, 0.25])
def test_psd_is_that_of_scipy(fftlength, overlap):
    rng = np.random.default_rng(1)
    X = 1e-21 * (rng.normal(size=(3, 2, 256 * 8)) + 5)
    size = round(fftlength * 256)
    noverlap = size // 2 if overlap is None else round(overlap * 256)
    _, expected = signal.welch(
        X, 256, nperseg=size, noverlap=noverlap, average="median"
    )
    psd = PsdEstimator(256, fftlength, overlap)(torch.from_numpy(X))
    assert psd.dtype == torch.float64
    # the mean's bin carries rounding errors only
    np.testing.assert_allclose(psd[..., 1:], expected[..., 1:], rtol=1e-6)


def test_float32_strain_is_estimated_in_float64():
    X = 1e-23 * torch.randn(2, 1024, generator=torch.manual_seed(0))
    psd = PsdEstimator(256, 1.0)(X.float())
    assert psd.dtype == torch.float64
    assert (psd[:, 1:] > 0).all()
    assert psd.median() == pytest.approx(2e-46 / 256, rel=0.5)


def test_bias_is_that_of_scipy():
    for count in range(1, 30):
        expected = signal._spectral_py._median_bias(count)
        assert median_bias(count) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((256, 1.001), "fftlength of 1.001 s is 256.256 samples"),
        ((256, 1.0, 0.333), "overlap of 0.333 s"),
        ((256, 1.0, 1.0), "shorter than fftlength"),
        ((256, 1.0, -0.5), "at least 0"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(UserError, match=message):
        PsdEstimator(*arguments)


@pytest.mark.parametrize("count", range(1, 18))
def test_the_middle_is_that_of_a_sort(count):
    generator = torch.Generator().manual_seed(count)
    rows = torch.rand(count, 500, generator=generator, dtype=torch.float64)
    rows[:, :100] = (4 * rows[:, :100]).round()  # ties
    low, high = _middle(list(rows))
    ordered = rows.sort(0).values
    assert torch.equal(low, ordered[(count - 1) // 2])
    assert torch.equal(high, ordered[count // 2])
