import numpy as np
import pytest
import torch
from conventions.errors import UserError
from preprocessing.q_transform import QTransform
from preprocessing.representations import Heterodyned, Spectrum
from torch.distributions import Uniform
from train.data import (
    AutoencoderDataset,
    SupervisedAframeDataset,
    SupervisedFrequencyDomainDataset,
    SupervisedHeterodynedDataset,
    SupervisedMultiModalDataset,
    SupervisedTimeSpectrogramDataset,
)
from train.waveforms import CBCGenerator, Prior

HETERODYNED = {"chirp_mass": [1.2, 2.0, 3.0], "heterodyned_rate": 64}
SPECTROGRAM = {"spectrogram_shape": (12, 20), "q": 6.0}
VARIANTS = [
    (SupervisedAframeDataset, {}, ["whitened"], [(2, 384)]),
    (SupervisedFrequencyDomainDataset, {}, ["frequency"], [(4, 162)]),
    (
        SupervisedMultiModalDataset,
        {},
        ["whitened", "frequency"],
        [(2, 384), (4, 162)],
    ),
    (
        SupervisedTimeSpectrogramDataset,
        SPECTROGRAM,
        ["whitened", "spectrogram"],
        [(2, 384), (2, 12, 20)],
    ),
    (
        SupervisedHeterodynedDataset,
        HETERODYNED,
        ["heterodyned"],
        [(6, 96)],
    ),
    (AutoencoderDataset, {}, ["whitened"], [(2, 384)]),
]


@pytest.fixture
def plain(settings):
    """Batches of whitened kernels."""
    data = SupervisedAframeDataset(**settings)
    data.setup()
    return data


@pytest.mark.parametrize(("kind", "more", "names", "shapes"), VARIANTS)
def test_inputs_and_batches(settings, kind, more, names, shapes):
    if kind is AutoencoderDataset:
        settings = {k: v for k, v in settings.items() if k != "waveform_prob"}
    data = kind(**settings, **more)
    data.setup()
    assert [spec.name for spec in data.inputs] == names
    assert [spec.shape for spec in data.inputs] == shapes
    assert data.num_ifos == (6 if kind is SupervisedHeterodynedDataset else 2)
    *inputs, y = data.training_batch(data.train_set[0], step=0)
    assert [tuple(X.shape) for X in inputs] == [(32, *s) for s in shapes]
    assert all(X.dtype == torch.float32 for X in inputs)
    assert y.shape == (32,)
    pairs = data.validation_batch(data.valid_set[0])
    assert len(pairs) == 2 * len(shapes)
    for X, shape in zip(pairs[::2], shapes, strict=True):
        assert X.shape[1:] == (16, *shape)
    for X, shape in zip(pairs[1::2], shapes, strict=True):
        assert X.shape[1:] == (5, *shape)
    nothing = data.validation_batch(data.valid_set[len(data.valid_set)])
    assert [len(X) for X in nothing] == [0] * len(pairs)
    for X, other in zip(nothing, pairs, strict=True):
        assert X.shape[1:] == other.shape[1:]


def test_inputs_are_made_of_the_same_kernels(settings, plain):
    X, y = plain.training_batch(plain.train_set[0], step=0)
    pairs = plain.validation_batch(plain.valid_set[0])
    config = plain.config
    expected = {
        "whitened": lambda X: X,
        "frequency": Spectrum(config),
        "heterodyned": Heterodyned(config, [1.2, 2.0, 3.0], 64),
        "spectrogram": QTransform(config, (12, 20), 6.0),
    }
    for kind, more, *_ in VARIANTS[1:5]:
        data = kind(**settings, **more)
        data.setup()
        *inputs, labels = data.training_batch(data.train_set[0], step=0)
        assert torch.equal(labels, y)
        for spec, found in zip(data.inputs, inputs, strict=True):
            torch.testing.assert_close(found, expected[spec.name](X))
        found = data.validation_batch(data.valid_set[0])
        for i, spec in enumerate(data.inputs):
            for one, kernels in zip(found[2 * i :][:2], pairs, strict=True):
                made = expected[spec.name](kernels.flatten(0, 1))
                torch.testing.assert_close(one.flatten(0, 1), made)


def test_every_kernel_of_the_autoencoder_carries_a_whole_signal(settings):
    settings.pop("waveform_prob")
    data = AutoencoderDataset(**settings)
    data.setup()
    _, y = data.training_batch(data.train_set[0], step=0)
    assert torch.equal(y, torch.ones(32))


def test_signals_made_while_training(settings):
    chirps = CBCGenerator(
        "TaylorF2",
        Prior(
            {
                "mass_1": Uniform(20.0, 30.0),
                "mass_2": Uniform(10.0, 20.0),
                "theta_jn": Uniform(0.0, 3.1),
                "phase": Uniform(0.0, 6.2),
                "chi_1": Uniform(-0.1, 0.1),
                "chi_2": Uniform(-0.1, 0.1),
            }
        ),
        waveform_duration=4.0,
        right_pad=0.5,
    )
    settings |= {"waveforms_dir": settings["waveforms_dir"], "num_workers": 0}
    data = SupervisedAframeDataset(**settings, waveform_sampler=chirps)
    names = [path.name for path in data.files.listing()]
    assert names[-1] == "val_waveforms.hdf5"
    assert "train_waveforms.hdf5" not in names
    data.setup()
    batch = data.train_set[3]
    assert set(batch["drawn"]) == set(chirps.polarizations.names)
    one, other = (data.training_batch(batch, step=0) for _ in range(2))
    assert torch.equal(one[0], other[0])
    assert one[1].sum() > 5
    short = CBCGenerator("TaylorF2", chirps.prior, 1.0, 0.5)
    data = SupervisedAframeDataset(**settings, waveform_sampler=short)
    with pytest.raises(UserError, match="of training have 256 samples, short"):
        data.setup()


@pytest.mark.parametrize(
    ("kind", "more", "message"),
    [
        (
            SupervisedHeterodynedDataset,
            {"chirp_mass": [0.0]},
            "chirp_mass: .* positive",
        ),
        (
            SupervisedTimeSpectrogramDataset,
            {"q": 80.0},
            r"q: 80\.0 does not suit",
        ),
    ],
)
def test_representations_that_cannot_be(settings, kind, more, message):
    data = kind(**settings, **more)
    with pytest.raises(UserError, match=message):
        data.setup()


def test_background_that_is_no_number_is_found_before_training(
    settings, tmp_path, background_writer
):
    import h5py

    path = tmp_path / "background-1000-200.hdf5"
    background_writer(path, 1000, 200, 1)
    with h5py.File(path, "r+") as file:
        file["L1"][150 * 256 : 150 * 256 + 3] = np.nan
    data = SupervisedAframeDataset(
        **settings | {"background_dir": str(tmp_path)}
    )
    with pytest.raises(UserError, match=r"L1 .*the first at GPS time 1150\."):
        data.setup()
