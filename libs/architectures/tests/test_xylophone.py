import torch
from architectures.supervised import SupervisedTimeDomainXylophone
from torch import nn


def test_each_tower_sees_its_part_of_the_kernel():
    torch.manual_seed(1)
    network = SupervisedTimeDomainXylophone(1, octaves=[[1]] * 4)
    # normalisations and the pooling's winners would mix the samples
    network.stem = nn.Conv1d(1, 8, 1, 4)
    parts = []
    for i, tower in enumerate(network.towers):
        tower.register_forward_hook(
            lambda module, args, y, i=i: parts.append((i, y.sum()))
        )
    X = torch.randn(1, 1, 403, requires_grad=True)  # 101 after the stem
    network(X)
    for i, part in parts:
        (gradient,) = torch.autograd.grad(part, X, retain_graph=True)
        seen = gradient[0, 0].nonzero().flatten()
        stop = 20 * (i + 2) if i < 3 else 101
        assert torch.equal(seen, 4 * torch.arange(20 * i, stop))


def test_filters_get_finer_from_part_to_part():
    network = SupervisedTimeDomainXylophone(2)
    dilations = [
        [m.dilation[0] for m in tower[1].branch if isinstance(m, nn.Conv1d)]
        for tower in network.towers
    ]
    assert dilations == [[8, 8], [4, 4], [2, 2], [1, 1]]
