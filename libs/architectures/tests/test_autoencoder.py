import warnings

import pytest
import torch
from architectures.autoencoder import ConvolutionalAutoencoder
from conventions.errors import UserError


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(1)


@pytest.mark.parametrize("num_ifos", [1, 2, 3, 5])
@pytest.mark.parametrize("channels", [[1], [3, 5], [4, 2, 3]])
@pytest.mark.parametrize("training", [True, False])
def test_no_interferometer_sees_another(num_ifos, channels, training):
    network = ConvolutionalAutoencoder(num_ifos, channels, 5).train(training)
    X = torch.randn(3, num_ifos, 101, requires_grad=True)
    output = network(X)
    for i in range(num_ifos):
        (gradient,) = torch.autograd.grad(
            output[:, i].square().sum(), X, retain_graph=True
        )
        others = [j for j in range(num_ifos) if j != i]
        assert gradient[:, i].abs().max() > 0
        assert not gradient[:, others].any()


@pytest.mark.parametrize("kernel_size", [3, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_output_is_as_long_as_the_input(kernel_size, stride):
    network = ConvolutionalAutoencoder(2, [2, 2, 3], kernel_size, stride)
    for size in [*range(1, 30), 1001]:
        X = torch.randn(1, 2, size)
        assert network(X).shape == X.shape


def test_no_sample_of_the_output_is_padding():
    network = ConvolutionalAutoencoder(1, [2, 3, 4], 7, 2)
    output = network(torch.randn(64, 1, 99))
    assert (output.std(0) > 0).all()


def test_samples_of_a_batch_do_not_mix():
    network = ConvolutionalAutoencoder(2)
    X = torch.randn(4, 2, 128)
    torch.testing.assert_close(network(X)[2:3], network(X[2:3]))


def test_gradient_reaches_every_parameter():
    network = ConvolutionalAutoencoder(2)
    (network(torch.randn(4, 2, 256)) ** 2).sum().backward()
    for parameter in network.parameters():
        assert parameter.grad.abs().max() > 0


def test_trace_serves_any_batch():
    network = ConvolutionalAutoencoder(3).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        traced = torch.jit.trace(network, torch.randn(2, 3, 257))
    X = torch.randn(5, 3, 257)
    torch.testing.assert_close(traced(X), network(X))


def test_it_learns_a_narrow_band():
    """A sine in noise is passed on better than the noise."""
    network = ConvolutionalAutoencoder(2, [4, 8], 7, 2)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    time = torch.arange(256) / 256
    losses = []
    for _ in range(40):
        phase = 6.3 * torch.rand(16, 1, 1)
        clean = torch.sin(2 * torch.pi * 20 * time + phase).expand(-1, 2, -1)
        loss = (network(clean + torch.randn(16, 2, 256)) - clean).square()
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
        losses.append(loss.mean().item())
    assert sum(losses[-10:]) / 10 < 0.3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_ifos": 0}, "num_ifos: 0 must"),
        ({"encode_channels": []}, r"encode_channels: \[\] must"),
        ({"encode_channels": [4, 0]}, r"encode_channels: \[4, 0\] must"),
        ({"kernel_size": 4}, "kernel_size: 4 must be odd"),
        ({"stride": 0}, "stride: 0 must"),
        ({"kernel_size": 3, "stride": 4}, "kernel_size: 3 must .* at least 4"),
    ],
)
def test_meaningless_arguments_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        ConvolutionalAutoencoder(**{"num_ifos": 2, **wrong})
