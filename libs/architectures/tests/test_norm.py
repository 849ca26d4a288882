import pytest
import torch
from architectures.norm import GroupNorm
from ml4gw.nn.norm import GroupNorm1D


@pytest.mark.parametrize("groups", [None, 1, 4, 64])
def test_same_function_of_the_same_parameters(groups):
    torch.manual_seed(0)
    theirs, ours = GroupNorm1D(16, groups), GroupNorm(16, groups)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(3, 16, 50) + 2
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    gradients = [
        torch.autograd.grad(norm(x).pow(3).sum(), list(norm.parameters()))
        for norm in (ours, theirs)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-3)


def test_small_variation_around_a_large_mean():
    x = 1e4 + torch.randn(2, 8, 1000, dtype=torch.float64)
    exact = GroupNorm(8, 4).double()(x)
    found = GroupNorm(8, 4)(x.float())
    # single precision knows these samples to 1e-3
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=5e-3)
