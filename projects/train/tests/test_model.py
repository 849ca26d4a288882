from types import SimpleNamespace

import torch
from lightning import Callback
from torch import nn
from train.metrics import TimeSlideAUROC
from train.model import SupervisedAframe


class Mean(nn.Module):
    def forward(self, X):
        return X.mean((1, 2))


class Witness(Callback):
    def __init__(self):
        self.seen = []

    def on_validation_score(self, trainer, module, *tensors):
        self.seen.append((trainer, module, tensors))


def test_callbacks_see_what_was_scored():
    module = SupervisedAframe(Mean(), TimeSlideAUROC(max_fpr=1.0))
    witness = Witness()
    trainer = SimpleNamespace(callbacks=[Callback(), witness])
    module._trainer = trainer
    background, foreground = torch.randn(3, 4, 2, 8), torch.randn(0, 5, 2, 8)
    module.validation_step((background, foreground))
    [(seen_trainer, seen_module, tensors)] = witness.seen
    assert seen_trainer is trainer
    assert seen_module is module
    torch.testing.assert_close(tensors[0], background.mean((2, 3)))
    assert tensors[1].shape == (0, 5)
    assert tensors[2] is background
    assert tensors[3] is foreground
