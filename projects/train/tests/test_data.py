import pytest
import torch
from conventions.errors import UserError
from train.data import SupervisedAframeDataset
from train.data.training import EpochSampler
from train.snr import SnrSampler


def module(settings, **changes):
    return SupervisedAframeDataset(**{**settings, **changes})


def test_batches_are_functions_of_seed_and_number(settings):
    first, second = module(settings), module(settings)
    other = module(settings, seed=2)
    batches = []
    for data in (first, second, other):
        data.setup()
        batches.append([data.train_set[i] for i in (0, 1)])
    one, two, three = batches
    assert torch.equal(one[1]["X"], two[1]["X"])
    drawn = [batch[1]["drawn"]["polarizations"] for batch in (one, two)]
    assert torch.equal(*drawn)
    assert not torch.equal(one[0]["X"], one[1]["X"])
    assert not torch.equal(one[0]["X"], three[0]["X"])
    X, y = first.training_batch(one[0], step=0)
    assert X.shape == (32, 2, 384)
    assert X.dtype == torch.float32
    assert y.shape == (32,)
    again, _ = second.training_batch(two[0], step=0)
    assert torch.equal(X, again)


def test_fraction_of_signals(settings):
    data = module(settings, waveform_prob=0.3, batch_size=1000)
    data.setup()
    batch = data.train_set[0]
    assert len(batch["rows"]) / 1000 == pytest.approx(0.3, abs=0.05)
    assert len(batch["drawn"]["polarizations"]) == len(batch["rows"])


def test_signals_get_fainter_with_the_steps(settings):
    """The schedule is a function of the step, which checkpoints hold."""
    sampler = SnrSampler(1000, 4, 900, decay_steps=100)
    data = module(settings, snr_sampler=sampler, waveform_prob=1.0)
    data.setup()
    powers = []
    for step in (0, 50, 100):
        X, _ = data.training_batch(data.train_set[0], step)
        powers.append(float(X.square().mean((1, 2)).median()))
    assert powers[0] > 2 * powers[1] > 20 * powers[2]


def test_epochs_go_on_where_the_last_stopped():
    done = 0
    sampler = EpochSampler(3, lambda: done)
    assert list(sampler) == [0, 1, 2]
    done = 6
    assert list(sampler) == [6, 7, 8]
    assert len(sampler) == 3


def test_workers_do_not_change_the_data(settings):
    expected = None
    for workers in (0, 2):
        data = module(settings, num_workers=workers)
        data.setup()
        found = [batch["X"] for batch in data.train_dataloader()]
        if expected is not None:
            assert all(map(torch.equal, found, expected))
        expected = found


def test_validation_uses_held_out_background_only(settings):
    data = module(settings)
    data.setup()
    limit = (140 - 60) * 256
    last = "background-1060-140.hdf5"
    for piece in data.valid_set.pieces:
        assert piece.stretch.path.name == last
        assert min(piece.starts) >= limit
    for stretch in data.train_set.kernels.stretches:
        assert stretch.path.name != last or stretch.stop <= limit


def test_whitened_background_has_unit_variance(settings):
    data = module(settings, waveform_prob=0.0, highpass=None)
    data.setup()
    X, y = data.training_batch(data.train_set[0], step=0)
    assert not y.any()
    # a PSD of few segments scatters, and its inverse is larger on average
    assert 1 < X.std() < 1.3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"left_pad": 1.0, "right_pad": 0.75},
            r"kernel_length: 1\.5 s is too short for left_pad 1\.0 s and "
            r"right_pad 0\.75 s",
        ),
        ({"left_pad": -0.1}, "must not be negative"),
        ({"waveform_prob": 1.2}, "waveform_prob: 1.2 must lie between"),
        ({"swap_frac": 0.6, "mute_frac": 0.6}, "hard_negatives: 1.2"),
        ({"batch_size": 0}, "batch_size: 0 must be positive"),
        ({"valid_livetime": 0}, "valid_livetime: 0 must be positive"),
        ({"psd_length": 2}, "psd_length: 2 s must be at least fftlength"),
        ({"highpass": 200}, "highpass: 200 Hz"),
        ({"kernel_length": 1.001}, "kernel_length of 1.001 s"),
        ({"ifos": ["H1", "Z1"]}, "ifos: Z1 unknown"),
    ],
)
def test_settings_that_contradict_each_other(settings, changes, message):
    with pytest.raises(UserError, match=message):
        module(settings, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"background_dir": "/nowhere"}, "/nowhere is not a directory"),
        ({"waveforms_dir": "/nowhere"}, "no /nowhere/train_waveforms.hdf5"),
        ({"sample_rate": 512}, "sample_rate: 512 Hz in the configuration"),
        ({"ifos": ["H1", "V1"]}, "has no data of V1"),
        (
            {"kernel_length": 6},
            "waveforms of training have 1024 samples, shorter",
        ),
        ({"min_valid_duration": 195}, "no stretch of training background"),
        ({"min_valid_duration": 5}, "valid_livetime cannot be reached"),
        ({"valid_livetime": 1e5}, "valid_livetime cannot be reached"),
    ],
)
def test_files_that_do_not_fit(settings, changes, message):
    data = module(settings, **changes)
    with pytest.raises(UserError, match=message):
        data.setup()
