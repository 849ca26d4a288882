import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from architectures.autoencoder import ConvolutionalAutoencoder
from architectures.supervised import SupervisedS4Model
from conventions.errors import UserError
from torch import nn
from train.metrics import TimeSlideAUROC
from train.model import (
    AutoencoderAframe,
    SupervisedAframe,
    SupervisedAframeS4,
    SupervisedMultiModalAframe,
    SupervisedTimeSpectrogramAframe,
)
from train.model.autoencoder import Coherence


def fake_trainer(**more):
    data = SimpleNamespace(
        batches_per_epoch=10,
        config=SimpleNamespace(
            sample_rate=1000.0, num_ifos=2, ifos=("H1", "L1")
        ),
    )
    settings = {
        "datamodule": data,
        "accumulate_grad_batches": 1,
        "max_epochs": 2,
        "max_steps": -1,
        "world_size": 2,
        "callbacks": [],
        "loggers": [],
    }
    return SimpleNamespace(**settings | more)


class Sum(nn.Module):
    """Scores of inputs of any number and shape."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, *inputs):
        return self.scale * sum(X.flatten(1).sum(1) for X in inputs)


class Watcher:
    def __init__(self):
        self.seen = None

    def on_validation_score(self, trainer, module, *tensors):
        self.seen = tensors


@pytest.fixture
def attach():
    """Function that gives a module a trainer."""

    def attach(module, **more):
        module._trainer = fake_trainer(**more)
        module.setup("fit")
        return module

    return attach


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (SupervisedAframe, 1),
        (SupervisedMultiModalAframe, 2),
        (SupervisedTimeSpectrogramAframe, 2),
    ],
)
def test_one_validation_step_for_any_inputs(attach, kind, number):
    watcher = Watcher()
    module = attach(
        kind(Sum(), TimeSlideAUROC(1.0)), callbacks=[object(), watcher]
    )
    background = [torch.randn(3, 4, 2, 5 + i) for i in range(number)]
    foreground = [torch.randn(6, 2, 2, 5 + i) for i in range(number)]
    pairs = [x for p in zip(background, foreground, strict=True) for x in p]
    module.validation_step(pairs)
    scores = sum(X.sum((2, 3)) for X in background)
    torch.testing.assert_close(watcher.seen[0], scores)
    assert watcher.seen[1].shape == (6, 2)
    assert all(a is b for a, b in zip(watcher.seen[2:], pairs, strict=True))
    found = torch.cat(module.metric.background)
    torch.testing.assert_close(found, scores.amax(1))
    nothing = [X[:0] for X in pairs]
    module.validation_step(nothing)
    assert watcher.seen[0].shape == (0, 4)


def test_supervised_loss_is_cross_entropy_of_logits():
    module = SupervisedAframe(Sum(), TimeSlideAUROC())
    X, y = torch.randn(5, 2, 3), torch.tensor([0.0, 1, 1, 0, 1])
    p = torch.sigmoid(X.sum((1, 2)))
    expected = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    torch.testing.assert_close(module.loss([X], y), expected)
    assert module.network is module.arch


def test_state_spaces_are_trained_at_their_own_rate(attach):
    arch = SupervisedS4Model(2, d_model=4, d_state=4, n_layers=2)
    module = attach(
        SupervisedAframeS4(
            arch,
            TimeSlideAUROC(),
            learning_rate=0.02,
            weight_decay=0.1,
            state_space_learning_rate=5e-4,
        )
    )
    configured = module.configure_optimizers()
    optimizer = configured["optimizer"]
    others, slow = optimizer.param_groups
    expected = {id(p) for p in arch.state_space_parameters()}
    assert {id(p) for p in slow["params"]} == expected
    every = {id(p) for p in module.parameters()}
    assert {id(p) for p in others["params"]} == every - expected
    assert (others["weight_decay"], slow["weight_decay"]) == (0.1, 0)
    scheduler = configured["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(19):
        rates.append(scheduler.get_last_lr())
        optimizer.step()
        scheduler.step()
    peaks = np.max(rates, axis=0)
    # the peak lies between two steps
    np.testing.assert_allclose(peaks, [0.04, 5e-4], rtol=0.01)
    ratio = np.divide(*np.transpose(rates))
    np.testing.assert_allclose(ratio, 80, rtol=1e-9)


@pytest.mark.parametrize("num_ifos", [2, 3, 4])
def test_no_interferometer_predicts_itself(num_ifos):
    torch.manual_seed(1)
    network = ConvolutionalAutoencoder(num_ifos, [3, 4], 5)
    coherence = Coherence(network, 4)
    X = torch.randn(3, num_ifos, 96, requires_grad=True)
    prediction = coherence.predict(X)
    for i in range(num_ifos):
        (gradient,) = torch.autograd.grad(
            prediction[:, i].square().sum(), X, retain_graph=True
        )
        assert not gradient[:, i].any()
        others = [j for j in range(num_ifos) if j != i]
        assert (gradient[:, others].abs().amax((0, 2)) > 0).all()


def test_three_are_each_predicted_from_the_mean_of_the_others():
    X = torch.randn(2, 3, 40)
    prediction = Coherence(nn.Identity(), 0).predict(X)
    torch.testing.assert_close(prediction[:, 0], (X[:, 1] + X[:, 2]) / 2)
    torch.testing.assert_close(prediction[:, 2], (X[:, 0] + X[:, 1]) / 2)


def test_coherence_is_that_of_numpy():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(4, 2, 200))
    X[0, 1] = np.roll(X[0, 0], 3)
    X[1, 1] = -X[1, 0]
    shift = 5
    expected = []
    for sample in X:
        best = []
        for target, source in ((0, 1), (1, 0)):
            padded = np.pad(sample[source], shift)
            values = [
                np.corrcoef(padded[i : i + 200], sample[target])[0, 1]
                for i in range(2 * shift + 1)
            ]
            best.append(max(max(values), 0))
        expected.append(math.hypot(*best))
    found = Coherence(nn.Identity(), shift)(torch.from_numpy(X))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert expected[0] > 1.35
    assert expected[0] > 3 * expected[2]


def test_autoencoder_learns_what_is_common(attach):
    torch.manual_seed(1)
    module = attach(
        AutoencoderAframe(
            ConvolutionalAutoencoder(2, [4, 8]),
            TimeSlideAUROC(),
            max_shift=0.003,
        )
    )
    assert module.shift_size == 3
    time = torch.arange(128) / 128
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    losses = []
    for _ in range(24):
        phase = 6.3 * torch.rand(16, 1, 1)
        common = torch.sin(2 * torch.pi * 15 * time + phase)
        X = common + torch.randn(16, 2, 128)
        loss = module.loss([X], torch.ones(16))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.1
    noise = module(torch.randn(64, 2, 128))
    assert noise.mean() < -np.mean(losses[-5:])
    for parameter in module.parameters():
        assert torch.isfinite(parameter.grad).all()


def test_autoencoder_shows_its_predictions(attach):
    watcher = Watcher()
    module = attach(
        AutoencoderAframe(ConvolutionalAutoencoder(2, [2]), TimeSlideAUROC()),
        callbacks=[watcher],
    )
    background, foreground = torch.randn(2, 3, 2, 64), torch.randn(0, 5, 2, 64)
    module.validation_step((background, foreground))
    assert len(watcher.seen) == 6
    prediction = watcher.seen[4]
    assert prediction.shape == background.shape
    expected = module.network.predict(background[1])
    torch.testing.assert_close(prediction[1], expected)
    assert watcher.seen[5].shape == foreground.shape


def test_autoencoder_mistakes(attach):
    network = ConvolutionalAutoencoder(1, [2])
    with pytest.raises(UserError, match=r"max_shift: -1\.0 s must not"):
        AutoencoderAframe(network, TimeSlideAUROC(), max_shift=-1.0)
    module = AutoencoderAframe(network, TimeSlideAUROC())
    data = SimpleNamespace(
        config=SimpleNamespace(sample_rate=1.0, num_ifos=1, ifos=("H1",))
    )
    with pytest.raises(UserError, match="ifos: H1 alone cannot be predicted"):
        attach(module, datamodule=data)
