import warnings

import pytest
import torch
from architectures.supervised import (
    SupervisedTimeDomainNarrowResNet,
    SupervisedTimeDomainResNet,
)

ARCHITECTURES = {
    "resnet": lambda n: SupervisedTimeDomainResNet(n, layers=[1, 1]),
    "narrow": SupervisedTimeDomainNarrowResNet,
}


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.mark.parametrize("num_ifos", [1, 2, 3])
@pytest.mark.parametrize("size", [512, 1536, 777])
def test_one_logit_per_kernel(architecture, num_ifos, size):
    network = architecture(num_ifos)
    for batch in (1, 4):
        assert network(torch.randn(batch, num_ifos, size)).shape == (batch,)


def test_samples_of_a_batch_do_not_mix(architecture):
    network = architecture(2)
    X = torch.randn(4, 2, 512)
    torch.testing.assert_close(network(X)[2:3], network(X[2:3]))


def test_gradient_reaches_every_parameter(architecture):
    network = architecture(2)
    network(torch.randn(4, 2, 512)).square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in network.parameters())


def test_trace_serves_any_batch(architecture):
    network = architecture(2).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(network, torch.randn(2, 2, 512))
    X = torch.randn(5, 2, 512)
    torch.testing.assert_close(traced(X), network(X))


def test_sizes_of_the_published_and_the_narrow_network():
    assert parameters(SupervisedTimeDomainResNet(2)) == pytest.approx(
        7.2e6, rel=0.02
    )
    assert parameters(SupervisedTimeDomainNarrowResNet(2)) == pytest.approx(
        131e3, rel=0.02
    )


@pytest.mark.parametrize("name", ["kernel_size", "stem_size"])
def test_even_filters_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}: 4 must be odd"):
        SupervisedTimeDomainNarrowResNet(2, **{name: 4})
