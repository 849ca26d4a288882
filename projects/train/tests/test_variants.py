"""Every shipped configuration trains, validates and leaves its files."""

import csv
import math
from pathlib import Path

import h5py
import pytest
import torch
from preprocessing.manifest import WHITENED, Manifest
from preprocessing.representations import Inputs
from train.cli import main

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
TINY_RESNET = {"layers": "[1,1]"}
TINY = {
    "autoencoder": {"encode_channels": "[2,2]"},
    "bbh": TINY_RESNET,
    "cbc": TINY_RESNET,
    "frequency": TINY_RESNET,
    "heterodyned": TINY_RESNET,
    "multimodal": {"time_layers": "[1,1]", "freq_layers": "[1,1]"},
    "s4": {"d_model": 8, "d_state": 4, "n_layers": 1},
    "skill": {"num_filters": 2, "filter_size": 64},
    "time_spectrogram": {"time_layers": "[1,1]", "spec_layers": "[1,1]"},
    "wavenet": {"res_channels": 4, "layers_per_block": 2},
    "xylophone": {"octaves": "[[1],[1]]"},
}
DATA = {
    "heterodyned": {
        "left_pad": 0.25,
        "chirp_mass": "[1,2]",
        "heterodyned_rate": 64,
    },
    "time_spectrogram": {"spectrogram_shape": "[16,16]", "q": 6},
    "cbc": {"waveform_sampler.waveform_duration": 4},
}


def tiny(config, directories):
    """Overrides of a configuration that make it train in seconds."""
    background, waveforms = directories
    name = config.stem
    data = {
        "background_dir": background,
        "waveforms_dir": waveforms,
        "sample_rate": 256,
        "kernel_length": 1.5,
        "fftlength": "null",
        "highpass": 20,
        "psd_length": 8,
        "batch_size": 8,
        "batches_per_epoch": 1,
        "min_valid_duration": 60,
        "valid_livetime": 8,
        "num_valid_views": 1,
        "num_workers": 0,
        **DATA.get(name, {}),
    }
    return [
        "fit",
        f"--config={config}",
        *[f"--data.{key}={value}" for key, value in data.items()],
        *[f"--model.arch.{key}={value}" for key, value in TINY[name].items()],
        "--trainer.max_epochs=1",
        "--trainer.log_every_n_steps=1",
        "--trainer.accelerator=cpu",
        "--trainer.devices=1",
        "--trainer.precision=32-true",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
    ]


@pytest.fixture(scope="module")
def trained(request, directories, tmp_path_factory):
    """Directory of a training of one configuration."""
    run_dir = tmp_path_factory.mktemp(request.param.stem)
    main([*tiny(request.param, directories), f"--run_dir={run_dir}"])
    return run_dir


every = pytest.mark.parametrize(
    "trained", CONFIGS, indirect=True, ids=lambda path: path.stem
)


@every
def test_one_step_of_training_and_validation(trained):
    with (trained / "metrics.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert math.isfinite(float(row["train_loss"]))
    assert 0 <= float(row["valid_auroc"]) <= 1

    manifest = Manifest.read(trained / "manifest.json")
    specs = manifest.inputs
    with h5py.File(trained / "batch.hdf5") as file:
        names = [spec.name for spec in specs] if len(specs) > 1 else ["X"]
        X = [torch.from_numpy(file[name][:]) for name in names]
        assert file["y"].shape == (8,)
    network = torch.jit.load(trained / "model.pt")
    for size in (1, 8):
        assert network(*(x[:size] for x in X)).shape == (size,)
    # inference makes the same inputs of the whitened kernels
    if specs[0].representation == WHITENED:
        made = Inputs(manifest.preprocessing, specs)(X[0])
        for one, other in zip(made, X, strict=True):
            torch.testing.assert_close(one, other)
    with h5py.File(trained / "val_batch.hdf5") as file:
        assert len(file) == 2 * len(specs)


@every
def test_what_was_trained_is_exported(trained, tmp_path):
    """With the samples of its inputs that are in ``batch.hdf5``."""
    main = pytest.importorskip("export.main")
    manifest = main.export(
        trained,
        tmp_path / "repository",
        psd_length=8,
        inference_sampling_rate=2,
        batch_size=4,
    )
    expected = Manifest.read(trained / "manifest.json")
    assert manifest.inputs == expected.inputs
    assert (tmp_path / "repository" / "manifest.json").is_file()
