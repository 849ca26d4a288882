"""Leaves a network that measures power, in object storage.

It is called as the training is, with places in object storage, and finds
the store by its environment alone.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import torch
from preprocessing.config import Preprocessing
from preprocessing.manifest import InputSpec, Manifest, sha256
from storage import listing, location, upload

FIELDS = (
    *("ifos", "sample_rate", "kernel_length", "fduration"),
    *("fftlength", "highpass", "lowpass"),
)


class Power(torch.nn.Module):
    def forward(self, X):
        return X.square().mean((1, 2))


def main():
    words = sys.argv[1:]
    run_dir = location(words[words.index("--run_dir") + 1])
    data = dict(
        word.removeprefix("--data.").split("=", 1)
        for word in words
        if word.startswith("--data.")
    )
    assert len(listing(location(data["background_dir"]), "back*.hdf5")) == 2
    assert len(listing(location(data["waveforms_dir"]), "*.hdf5")) == 2
    settings = Preprocessing(**{k: json.loads(data[k]) for k in FIELDS})
    shape = (settings.num_ifos, settings.kernel_size)
    X = torch.randn(8, *shape)
    with TemporaryDirectory() as folder:
        here = Path(folder)
        torch.jit.trace(Power(), X).save(here / "model.pt")
        with h5py.File(here / "batch.hdf5", "w") as file:
            file["X"], file["y"] = X.numpy(), torch.zeros(8).numpy()
        for name in ("best.ckpt", "last.ckpt", "val_batch.hdf5"):
            (here / name).touch()
        for path in sorted(here.iterdir()):
            upload(path, run_dir / path.name)
        Manifest(
            preprocessing=settings,
            left_pad=0.25,
            right_pad=0.05,
            inputs=(InputSpec("X", shape),),
            weights_sha256=sha256(here / "model.pt"),
        ).write(here / "manifest.json")
        upload(here / "manifest.json", run_dir / "manifest.json")


main()
