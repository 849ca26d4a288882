from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from conventions.errors import UserError
from lightning import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader
from train.callbacks import EpochSeed, FiniteLoss

NAN = float("nan")


class Dropping(LightningModule):
    """Its loss depends on torch's global randomness."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
        self.losses = []

    def training_step(self, batch):
        loss = self.network(batch[0]).square().mean()
        self.losses.append(float(loss.detach()))
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def batches(bad=None):
    batches = [(torch.full((2, 4), 1.0 + i), torch.ones(2)) for i in range(4)]
    if bad is not None:
        batches[bad][0][0, 0] = NAN
    return batches


def data(bad=None):
    return DataLoader(batches(bad), batch_size=None)


def trainer(epochs, *callbacks):
    return Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def trained(epochs, seed=1, checkpoint=None):
    torch.manual_seed(0)
    module = Dropping()
    if checkpoint:
        torch.manual_seed(99)  # as another process would have it
    run = trainer(epochs, EpochSeed(seed))
    run.fit(module, data(), ckpt_path=checkpoint, weights_only=True)
    return module, run


def test_dropout_goes_on_as_if_nothing_had_happened(tmp_path):
    whole, _ = trained(3)
    first, run = trained(2)
    run.save_checkpoint(tmp_path / "last.ckpt")
    second, _ = trained(3, checkpoint=tmp_path / "last.ckpt")
    assert first.losses + second.losses == whole.losses
    assert trained(1, seed=2)[0].losses != whole.losses[:4]


def test_devices_draw_different_numbers():
    drawn = []
    for rank in (0, 1):
        place = SimpleNamespace(global_rank=rank, current_epoch=0)
        EpochSeed(1).on_train_batch_start(place, None, None, 0)
        drawn.append(torch.rand(3))
    assert not torch.equal(*drawn)


@pytest.mark.parametrize("bad", [1, 3])
def test_a_loss_that_is_no_number_stops_and_leaves_the_batch(tmp_path, bad):
    module = Dropping()
    run = trainer(3, FiniteLoss(tmp_path))
    path = tmp_path / "bad_batch.hdf5"
    message = rf"batch {bad} of epoch 0 is nan; .*{path}; 1 of its numbers"
    with pytest.raises(UserError, match=message):
        run.fit(module, data(bad=bad))
    assert len(module.losses) <= bad + 2
    with h5py.File(path) as file:
        assert dict(file.attrs) == {"epoch": 0, "batch": bad, "rank": 0}
        expected = batches(bad)[bad]
        for i in range(2):
            found = file[f"batch/{i}"][:]
            np.testing.assert_array_equal(found, expected[i].numpy())


def test_a_divergence_is_told_from_bad_data(tmp_path):
    module = Dropping()
    module.network[0].weight.data[0, 0] = float("inf")
    run = trainer(1, FiniteLoss(tmp_path))
    with pytest.raises(UserError, match="its numbers are finite, so that"):
        run.fit(module, data())


def test_finite_losses_leave_nothing(tmp_path):
    trainer(1, FiniteLoss(tmp_path)).fit(Dropping(), data())
    assert not list(tmp_path.iterdir())
