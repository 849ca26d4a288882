from pathlib import Path

import h5py
import numpy as np
import pytest

RATE = 256
IFOS = ("H1", "L1")
ROOT = Path(__file__).parents[3]
DEMO = ROOT / "aframe" / "pipelines" / "sandbox" / "configs" / "demo.yaml"


def write_background(path, start, duration, seed, rate=RATE, ifos=IFOS):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        for ifo in ifos:
            strain = 1e-21 * rng.normal(size=round(duration * rate))
            dataset = file.create_dataset(ifo, data=strain, chunks=(2048,))
            dataset.attrs["x0"] = float(start)
            dataset.attrs["dx"] = 1 / rate


def chirps(count, size, coalescence, seed, rate=RATE):
    """Sine-Gaussians of rising frequency, at the amplitude of strain."""
    rng = np.random.default_rng(seed)
    t = (np.arange(size) - coalescence) / rate
    phase = rng.uniform(0, 2 * np.pi, size=(count, 1))
    width = rng.uniform(0.05, 0.1, size=(count, 1))
    envelope = np.exp(-0.5 * (t / width) ** 2)
    return 1e-21 * envelope * np.cos(2 * np.pi * (60 + 20 * t) * t + phase)


def write_waveforms(path, count, seed, names, rate=RATE, duration=4.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    right_pad = 0.5
    size = round(duration * rate)
    coalescence = size - round(right_pad * rate)
    with h5py.File(path, "w") as file:
        file.attrs["sample_rate"] = float(rate)
        file.attrs["duration"] = duration
        file.attrs["right_pad"] = right_pad
        for i, name in enumerate(names):
            data = chirps(count, size, coalescence, seed + i, rate)
            file[f"waveforms/{name}"] = data


@pytest.fixture(scope="session")
def directories(tmp_path_factory):
    """Background of two files and both waveform files."""
    root = tmp_path_factory.mktemp("data")
    background, waveforms = root / "background", root / "waveforms"
    write_background(background / "background-1000-60.hdf5", 1000, 60, 1)
    write_background(background / "background-1060-140.hdf5", 1060, 140, 2)
    write_waveforms(
        waveforms / "train_waveforms.hdf5", 30, 3, ("plus", "cross")
    )
    write_waveforms(waveforms / "val_waveforms.hdf5", 10, 5, ("h1", "l1"))
    return background, waveforms


@pytest.fixture
def settings(directories):
    """Init arguments of a small data module."""
    from train.snr import SnrSampler

    background, waveforms = directories
    return {
        "background_dir": str(background),
        "waveforms_dir": str(waveforms),
        "ifos": ["H1", "L1"],
        "sample_rate": RATE,
        "kernel_length": 1.5,
        "psd_length": 8,
        "batch_size": 32,
        "batches_per_epoch": 3,
        "snr_sampler": SnrSampler(),
        "highpass": 20,
        "waveform_prob": 0.5,
        "min_valid_duration": 60,
        "valid_livetime": 80,
        "num_workers": 0,
        "seed": 1,
    }


@pytest.fixture(scope="session")
def background_writer():
    """The function that writes a background file."""
    return write_background


@pytest.fixture(scope="session")
def waveforms_writer():
    """The function that writes a file of waveforms."""
    return write_waveforms


@pytest.fixture(scope="session")
def small_training():
    """Function that gives the arguments of a training of seconds.

    It takes the directories of background and waveforms, the number of
    epochs and what differs in the data module.
    """

    def arguments(background, waveforms, max_epochs, **changes):
        data = {
            "background_dir": background,
            "waveforms_dir": waveforms,
            "ifos": "[H1,L1]",
            "sample_rate": 256,
            "kernel_length": 1.5,
            "fduration": 1,
            "highpass": 20,
            "lowpass": "null",
            "psd_length": 8,
            "batch_size": 16,
            "batches_per_epoch": 2,
            "min_valid_duration": 60,
            "valid_livetime": 80,
            "num_workers": 0,
        }
        data |= changes
        return [
            f"--config={DEMO}",
            *[f"--data.{name}={value}" for name, value in data.items()],
            "--model.arch.channels=[8,8]",
            f"--trainer.max_epochs={max_epochs}",
            "--trainer.log_every_n_steps=1",
            "--trainer.enable_progress_bar=false",
        ]

    return arguments


@pytest.fixture
def arguments(directories, small_training):
    """A training of seconds, from the demo's configuration."""
    return ["fit", *small_training(*directories, max_epochs=3)]
