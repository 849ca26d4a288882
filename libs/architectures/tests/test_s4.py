import pytest
import torch
from architectures.supervised import SupervisedS4Model
from architectures.supervised.s4 import (
    StateSpaceKernel,
    StateSpaceLayer,
    causal_convolution,
)
from ml4gw.nn.ssm import S4DKernel


@pytest.fixture
def kernel():
    torch.manual_seed(1)
    return StateSpaceKernel(8, 16)


def recurrent(kernel, X):
    """Step the discretised model sample by sample, in double precision."""
    dt = kernel.log_dt.double().exp()[:, None]
    poles = torch.complex(
        -kernel.log_A_real.double().exp(), kernel.A_imag.double()
    )
    transition = torch.exp(dt * poles)
    drive = (transition - 1) / poles
    readout = torch.view_as_complex(kernel.C.double())
    state = torch.zeros(len(X), *poles.shape, dtype=torch.complex128)
    outputs = []
    for sample in X.double().unbind(-1):
        state = transition * state + drive * sample[..., None]
        outputs.append(2 * (readout * state).sum(-1).real)
    return torch.stack(outputs, -1)


@pytest.mark.parametrize("size", [1, 63, 64, 65, 1000])
@torch.no_grad()
def test_convolution_equals_the_recurrence(kernel, size):
    X = torch.randn(3, 8, size)
    expected = recurrent(kernel, X)
    actual = causal_convolution(X, kernel(size))
    assert actual.shape == X.shape
    error = (actual - expected).abs().max() / expected.abs().max()
    assert error < 1e-5


@torch.no_grad()
def test_long_response_keeps_its_phase(kernel):
    kernel.log_A_real.fill_(-10.0)  # so that nothing decays
    impulse = torch.zeros(1, 8, 6144)
    impulse[..., 0] = 1
    expected = recurrent(kernel, impulse)[0]
    error = (kernel(6144) - expected).abs().max() / expected.abs().max()
    assert error < 1e-6


@torch.no_grad()
def test_response_is_that_of_ml4gw(kernel):
    torch.testing.assert_close(
        kernel(200), S4DKernel.forward(kernel, 200), rtol=1e-4, atol=1e-5
    )


@torch.no_grad()
def test_convolution_is_the_sum_over_the_past():
    torch.manual_seed(1)
    X, response = torch.randn(2, 3, 17), torch.randn(3, 17)
    expected = torch.zeros_like(X)
    for late in range(17):
        for early in range(late + 1):
            expected[..., late] += response[:, late - early] * X[..., early]
    torch.testing.assert_close(causal_convolution(X, response), expected)


@torch.no_grad()
def test_response_does_not_lose_precision_under_autocast(kernel):
    X = torch.randn(2, 8, 100)
    expected = causal_convolution(X, kernel(100))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = causal_convolution(X, kernel(100))
    assert torch.equal(actual, expected)


@torch.no_grad()
def test_half_precision_is_convolved_in_single():
    torch.manual_seed(1)
    X, response = torch.randn(2, 3, 17).bfloat16(), torch.randn(3, 17)
    actual = causal_convolution(X, response)
    expected = causal_convolution(X.float(), response)
    assert torch.equal(actual, expected.bfloat16())


def test_layer_does_not_see_the_future():
    torch.manual_seed(1)
    layer = StateSpaceLayer(4, 8, 0.0, 1e-3, 1e-1)
    X = torch.randn(1, 4, 100, requires_grad=True)
    layer(X)[..., 60].sum().backward()
    past, future = X.grad[..., :61], X.grad[..., 61:]
    assert (past.abs().amax(1) > 1e-6).all()
    assert future.abs().max() < 1e-6


def test_state_space_parameters_are_times_and_poles():
    network = SupervisedS4Model(2, d_model=4, d_state=6, n_layers=2)
    names = {id(p): name for name, p in network.named_parameters()}
    chosen = [names[id(p)] for p in network.state_space_parameters()]
    assert chosen == [
        f"layers.{i}.kernel.{name}"
        for i in range(2)
        for name in ("log_dt", "log_A_real", "A_imag")
    ]


def test_dropout_is_only_for_training():
    torch.manual_seed(1)
    network = SupervisedS4Model(1, d_model=8, d_state=4, dropout=0.5)
    X = torch.randn(2, 1, 64)
    assert not torch.equal(network(X), network(X))
    network.eval()
    assert torch.equal(network(X), network(X))
