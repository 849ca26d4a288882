"""What of a training is checked before an export."""

import h5py
import pytest
import torch
from conventions.errors import UserError
from export.training import read_training
from preprocessing.manifest import InputSpec, sha256


@pytest.fixture
def several(train, specs, tmp_path):
    """Training of a network with two inputs."""
    train(tmp_path / "several", specs=(specs.time, specs.frequency))
    return tmp_path / "several"


def replace(run_dir, name, values=None, new_name=None):
    with h5py.File(run_dir / "batch.hdf5", "a") as file:
        data = file[name][:]
        del file[name]
        if new_name or values is not None:
            file[new_name or name] = data if values is None else values


def test_examples_are_those_of_the_batch(several, specs):
    training = read_training(several)
    assert training.manifest.inputs == (specs.time, specs.frequency)
    with h5py.File(several / "batch.hdf5") as file:
        for spec, X in zip(
            training.manifest.inputs, training.examples, strict=True
        ):
            assert X.shape == (8, *spec.shape)
            assert X.dtype == torch.float32
            assert (X.numpy() == file[spec.name][:8]).all()


def test_the_only_input_may_have_the_name_that_training_gives_it(
    run_dir, rewrite
):
    rewrite(inputs=(InputSpec("whitened", (2, 64)),))
    (example,) = read_training(run_dir).examples
    with h5py.File(run_dir / "batch.hdf5") as file:
        assert (example.numpy() == file["X"][:8]).all()


def test_a_training_of_one_input_without_a_batch(run_dir):
    (run_dir / "batch.hdf5").unlink()
    (example,) = read_training(run_dir).examples
    assert example.shape == (8, 2, 64)
    assert example.std() == pytest.approx(1, abs=0.1)


def test_no_batch_of_several_inputs(several):
    (several / "batch.hdf5").unlink()
    with pytest.raises(UserError, match=r"no batch at .*time, frequency"):
        read_training(several)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"new_name": "X"},
            r"holds X, time, y: expected a dataset for the input frequency",
        ),
        (
            {"values": torch.zeros(4, 4, 23).numpy()},
            r"frequency has shape \(4, 4, 23\): expected .*\(4, 24\)",
        ),
        (
            {"values": torch.zeros(0, 4, 24).numpy()},
            r"frequency has shape \(0, 4, 24\)",
        ),
        (
            {"values": torch.ones(12, 4, 24).numpy()},
            "frequency is not the representation spectrum of the whitened",
        ),
        (
            {"values": torch.full((12, 4, 24), torch.nan).numpy()},
            "frequency is not the representation spectrum of the whitened",
        ),
    ],
)
def test_a_batch_of_other_inputs(several, change, message):
    replace(several, "frequency", **change)
    with pytest.raises(UserError, match=message):
        read_training(several)


def test_a_network_of_other_inputs(run_dir, rewrite):
    network = torch.jit.trace(torch.nn.Linear(32, 1), torch.zeros(2, 32))
    network.save(run_dir / "model.pt")
    rewrite(weights_sha256=sha256(run_dir / "model.pt"))
    with pytest.raises(UserError, match=r"does not take .* \(2, 64\)"):
        read_training(run_dir)
