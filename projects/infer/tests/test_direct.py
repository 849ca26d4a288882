import dataclasses
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from conventions.errors import UserError
from infer.data import ArraySlide
from infer.direct import DirectEngine
from infer.engine import outputs_of
from preprocessing.manifest import InputSpec, Manifest, sha256
from preprocessing.representations import Spectrum


def test_outputs_after_the_burn_in(tiny, run_dir, manifest):
    engine = DirectEngine(run_dir, manifest)
    outputs = outputs_of(engine, ArraySlide(tiny.noise(15.3)[None]))
    assert outputs.shape == (1, 61 - 32)
    assert outputs.dtype == np.float32
    assert list(engine.evaluate([])) == []


def test_injections_do_not_change_the_background(tiny, run_dir, manifest):
    engine = DirectEngine(run_dir, manifest)
    strain = tiny.noise(15.0)
    both = ArraySlide(np.stack([strain, strain + 1e-19]))
    np.testing.assert_array_equal(
        outputs_of(engine, both)[:1],
        outputs_of(engine, ArraySlide(strain[None])),
    )


def test_weights_file_or_directory(tiny, run_dir, manifest):
    slide = ArraySlide(tiny.noise(9.0)[None])
    one, other = (
        outputs_of(DirectEngine(path, manifest), slide)
        for path in (run_dir, run_dir / "model.pt")
    )
    np.testing.assert_array_equal(one, other)


def test_weights_that_are_missing_or_changed(run_dir, manifest, tmp_path):
    with pytest.raises(UserError, match="there are no weights at"):
        DirectEngine(tmp_path, manifest)
    other = dataclasses.replace(manifest, weights_sha256="0" * 64)
    with pytest.raises(UserError, match="expected 0000"):
        DirectEngine(run_dir, other)


def test_manifest_of_a_training(run_dir):
    manifest = Manifest.read(run_dir / "manifest.json")
    with pytest.raises(UserError, match="lacks psd_length"):
        DirectEngine(run_dir, manifest)


@pytest.mark.parametrize(
    ("precision", "message"),
    [
        ("fp8", "precision: 'fp8' is not one of fp32, tf32, bf16, fp16"),
        ("tf32", "tf32 is a mode of NVIDIA's GPUs, not of cpu"),
    ],
)
def test_precisions_that_are_not_to_be_had(
    run_dir, manifest, precision, message
):
    with pytest.raises(UserError, match=message):
        DirectEngine(run_dir, manifest, precision=precision)


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_devices_that_are_not_to_be_had(run_dir, manifest, device):
    with pytest.raises(UserError, match=rf"device: '{device}'.*has cpu"):
        DirectEngine(run_dir, manifest, device)


def test_lower_precision_is_close(tiny, run_dir, manifest):
    slide = ArraySlide(tiny.noise(15.0)[None])
    exact = outputs_of(DirectEngine(run_dir, manifest), slide)
    for precision, error in (("bf16", 3e-2), ("fp16", 4e-3)):
        engine = DirectEngine(run_dir, manifest, precision=precision)
        outputs = outputs_of(engine, slide)
        assert outputs.dtype == np.float32
        difference = np.abs(outputs - exact).max()
        assert 0 < difference < error


def test_batches_for_a_gpu_come_in_few_sizes(run_dir, manifest):
    """Padded with kernels whose answers are dropped."""
    network = DirectEngine(run_dir, manifest, chunk=64).network
    sizes = set()
    for count in range(1, 65):
        index = torch.arange(3 * count).reshape(count, 3)
        padded = network._padded(index)
        assert torch.equal(padded[:count], index)
        assert (padded[count:] == index[-1]).all()
        sizes.add(len(padded))
    assert sizes == set(range(8, 65, 8))


def test_several_inputs(tiny, tmp_path, run_dir, manifest):
    """Kernels and their spectra, as the manifest lists them."""

    class Both(torch.nn.Module):
        def forward(self, kernels, spectra):
            energy = spectra.square().mean((-1, -2))
            return (kernels.amax((-1, -2)) + energy)[:, None]

    settings = manifest.preprocessing
    specs = [InputSpec("time", (2, settings.kernel_size))]
    shape = Spectrum(settings).shape
    specs.append(InputSpec("frequency", shape, "spectrum"))
    path = tmp_path / "model.pt"
    torch.jit.script(Both()).save(path)
    both = dataclasses.replace(
        manifest, inputs=tuple(specs), weights_sha256=sha256(path)
    )
    engine = DirectEngine(tmp_path, both)
    strain = tiny.noise(12.0)[None]
    outputs = outputs_of(engine, ArraySlide(strain))
    full = torch.from_numpy(strain.astype(np.float32))
    full = torch.nn.functional.pad(full, (256, 1024))
    first = full[..., : 2048 + 320 - 64 + 1024]
    kernels = engine.whitener(first)
    kernel = kernels[0]
    spectrum = Spectrum(settings)(kernel[None])[0]
    expected = kernel.max() + spectrum.square().mean()
    assert outputs[0, 0] == pytest.approx(float(expected), rel=1e-4)


class Endless:
    """A very long slide, made as it is read."""

    streams = 1

    def __init__(self, num_samples):
        self.num_samples = num_samples
        rng = np.random.default_rng(0)
        self.strain = 1e-21 * rng.normal(size=(1, 2, 2**14)).astype("f4")

    def read(self, first, size):
        rows = np.arange(first, first + size) % self.strain.shape[-1]
        return self.strain[..., rows]


def resident():
    """Memory of this process in MB."""
    status = Path("/proc/self/status").read_text().splitlines()
    line = next(row for row in status if row.startswith("VmRSS"))
    return int(line.split()[1]) / 1000


def test_memory_does_not_grow_with_length(run_dir, manifest):
    """Eight hours, 59 MB if they were held."""
    slow = dataclasses.replace(manifest, inference_sampling_rate=1.0)
    engine = DirectEngine(run_dir, slow)
    slides = [Endless(28800 * 256)]
    held = []
    for number, _ in enumerate(engine.evaluate(slides)):
        if number % 100 == 0:
            held.append(resident())
    assert len(held) > 15
    assert max(held[5:]) - held[5] < 10


def test_memory_of_many_slides_is_bounded(run_dir, manifest):
    """As the engine says; nothing is alike in these slides."""
    long = dataclasses.replace(manifest, batch_size=256)
    engine = DirectEngine(run_dir, long)
    peak = 0.0

    class Different(Endless):
        streams = 2

        def read(self, first, size):
            nonlocal peak
            peak = max(peak, resident())
            return np.concatenate([super().read(first, size)] * 2) * [
                [[1.0]],
                [[2.0]],
            ]

    count, num_samples = 32, 200 * 256
    warm = [Different(num_samples)]
    list(engine.evaluate(warm))
    before = resident()
    slides = [Different(num_samples) for _ in range(count)]
    held = 2**14 * 2 * 8 * count / 1e6  # what the test itself makes
    for _ in engine.evaluate(slides):
        peak = max(peak, resident())
    p, w = 2048, 320 + 255 * 64
    bound = 20 * count * 2 * 2 * (p + 2 * w) + 16 * 64 * (p + w)
    assert peak - before < bound / 1e6 + held + 20


def test_threads_end_with_the_evaluation(tiny, run_dir, manifest):
    """Also of one that is given up, or that fails."""
    engine = DirectEngine(run_dir, manifest)
    before = threading.active_count()
    slide = ArraySlide(tiny.noise(60.0)[None])
    evaluation = engine.evaluate([slide])
    next(evaluation)
    assert threading.active_count() > before
    evaluation.close()
    assert threading.active_count() == before
    broken = ArraySlide(tiny.noise(60.0)[None])
    reads = iter(range(3))

    def read(first, size):
        next(reads)
        return slide.read(first, size)

    broken.read = read
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(engine.evaluate([broken]))
    assert threading.active_count() == before


def test_the_client_side_needs_no_torch(tmp_path):
    """All but the in-process engine works where torch is not installed."""
    script = """
import sys
sys.modules["torch"] = None
import infer.cli, infer.main, infer.server, infer.settings, infer.client
import infer.direct
from conventions.errors import UserError
try:
    infer.direct.DirectEngine("model.pt", None)
except UserError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "needs torch" in done.stdout
    assert "infer[torch]" in done.stdout
