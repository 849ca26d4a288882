import pytest
import torch
from architectures.supervised import SupervisedTimeDomainWaveNet


@pytest.mark.parametrize(
    ("kernel_size", "layers", "blocks", "expected"),
    [(2, 4, 1, 16), (2, 3, 2, 15), (3, 3, 1, 15)],
)
def test_features_see_the_receptive_field(
    kernel_size, layers, blocks, expected
):
    torch.manual_seed(1)
    network = SupervisedTimeDomainWaveNet(2, 4, layers, blocks, kernel_size)
    assert network.receptive_field == expected
    X = torch.randn(1, 2, 64, requires_grad=True)
    network.features(X)[..., 50].sum().backward()
    seen = X.grad[0].abs().amax(0).nonzero().flatten()
    assert seen.min() == 50 - expected + 1
    assert seen.max() == 50


def test_receptive_field_as_it_stands_is_a_second_of_the_published_rate():
    assert SupervisedTimeDomainWaveNet(2).receptive_field == 2047
