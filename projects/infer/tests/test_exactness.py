"""Both engines give what a plain loop over the outputs gives."""

import dataclasses
from contextlib import contextmanager

import numpy as np
import pytest
from export.main import export
from infer.data import SlideStrain
from infer.direct import DirectEngine
from infer.engine import outputs_of
from infer.gaps import masked
from infer.injections import SlideInjections
from infer.layout import StreamLayout
from infer.segment import SegmentStrain
from infer.server import serve
from infer.triton_engine import TritonEngine

# Not a whole number of outputs or requests.
SECONDS = 9548 / 256
SHIFTS = ([0.0, 2.5], [0.0, 0.0], [0.0, 5.0], [3.5, 0.0])


@contextmanager
def engines(name, run_dir, manifest, address):
    if name == "direct":
        yield DirectEngine(run_dir, manifest)
    else:
        with TritonEngine(address(), manifest, streams=3) as engine:
            yield engine


@pytest.fixture(params=["direct", "triton"])
def engine(request, run_dir, manifest):
    def address():
        return request.getfixturevalue("address")

    with engines(request.param, run_dir, manifest, address) as opened:
        yield opened


def all_outputs(engine, slides):
    found = [[] for _ in slides]
    for position, outputs in engine.evaluate(slides):
        found[position].append(outputs)
    return [np.concatenate(pieces, axis=1) for pieces in found]


@pytest.fixture
def signals(tiny, tmp_path):
    """Across request edges, start and end; two overlap."""
    # Requests bring 4 s: edges are at 16 s and 20 s.
    offsets = [0.05, 12.3, 16.1, 20.0, 20.2, 25.0, 34.7]
    made = tiny.signals([tiny.start + x for x in offsets], SHIFTS[0])
    made.write(tmp_path / "signals.hdf5")
    return made


def test_slides_are_the_reference(
    tiny, engine, run_dir, manifest, signals, tmp_path
):
    strain = tiny.noise(SECONDS)
    path = tiny.write_background(tmp_path / "background.hdf5", strain)
    settings = manifest.preprocessing
    with (
        SegmentStrain(path, tiny.ifos, tiny.sample_rate) as segment,
        SlideInjections(
            tmp_path / "signals.hdf5",
            settings,
            tiny.start,
            tiny.start + SECONDS,
            SHIFTS[0],
        ) as injections,
    ):
        assert len(injections) == 7
        slides = [SlideStrain(segment, SHIFTS[0], injections)]
        slides += [SlideStrain(segment, shifts) for shifts in SHIFTS]
        found = all_outputs(engine, slides)
    clean = tiny.shifted(strain, SHIFTS[0])
    both = np.stack([clean, signals.inject(clean, tiny.start)])
    expected = tiny.reference(run_dir, manifest, both)
    assert expected.shape == (2, 139 - 32)
    assert np.ptp(expected[1] - expected[0]) > 0.1
    np.testing.assert_allclose(found[0], expected, rtol=1e-4)
    np.testing.assert_allclose(found[1], expected[:1], rtol=1e-4)
    for shifts, outputs in zip(SHIFTS[1:], found[2:], strict=True):
        stream = tiny.shifted(strain, shifts)[None]
        np.testing.assert_allclose(
            outputs, tiny.reference(run_dir, manifest, stream), rtol=1e-4
        )


@pytest.mark.parametrize(
    ("name", "batch_size"), [("direct", 13), ("direct", 50), ("triton", 13)]
)
def test_three_ifos_and_odd_batches(tiny, name, batch_size, request, tmp_path):
    """A batch that does not divide the burn-in, and one longer than it."""
    ifos = ("H1", "L1", "V1")
    run_dir = tmp_path / "run"
    tiny.train(run_dir, ifos)
    manifest = export(
        run_dir,
        tmp_path / "repository",
        psd_length=8.0,
        inference_sampling_rate=4.0,
        batch_size=batch_size,
    )
    strain = tiny.noise(23.0, 3)
    path = tiny.write_background(tmp_path / "background.hdf5", strain)
    shifts = [0.0, 1.0, 2.0]
    expected = tiny.reference(
        run_dir, manifest, tiny.shifted(strain, shifts)[None]
    )

    def compare(engine):
        with SegmentStrain(path, ifos, tiny.sample_rate) as segment:
            found = outputs_of(engine, SlideStrain(segment, shifts))
        np.testing.assert_allclose(found, expected, rtol=1e-4)

    if name == "direct":
        compare(DirectEngine(run_dir, manifest))
        return
    with (
        serve(
            tmp_path / "repository",
            triton_root=request.getfixturevalue("triton_root"),
            log_file=tmp_path / "log",
        ) as server,
        TritonEngine(str(server), manifest) as engine,
    ):
        compare(engine)


@pytest.mark.parametrize(
    "gaps",
    [
        {"H1": [(0, 10)]},
        {"L1": [(9400, 9548)]},
        # One sample, a request's edge, and both ifos at once.
        {"H1": [(4000, 4001)], "L1": [(4096 + 640, 4096 + 700)]},
        {"H1": [(5000, 5100)], "L1": [(5740, 5741), (5745, 6000)]},
    ],
)
def test_gaps_spoil_what_they_reach_and_no_more(
    tiny, engine, run_dir, manifest, signals, tmp_path, gaps
):
    strain = tiny.noise(SECONDS)
    holes = np.zeros(strain.shape, dtype=bool)
    for ifo, spans in gaps.items():
        for begin, end in spans:
            holes[tiny.ifos.index(ifo), begin:end] = True
    filled = np.where(holes, 0.0, strain)
    strain[holes] = np.nan
    strain[holes & (np.arange(strain.shape[1]) % 3 == 0)] = np.inf
    path = tiny.write_background(tmp_path / "background.hdf5", strain)
    shifts = SHIFTS[0]
    with (
        SegmentStrain(path, tiny.ifos, tiny.sample_rate) as segment,
        SlideInjections(
            tmp_path / "signals.hdf5",
            manifest.preprocessing,
            tiny.start,
            tiny.start + SECONDS,
            shifts,
        ) as injections,
    ):
        slide = SlideStrain(segment, shifts, injections)
        found = outputs_of(engine, slide)
        layout = StreamLayout.from_manifest(manifest, slide.num_samples)
        spoilt = masked(slide, layout, 0, layout.num_outputs)
    clean = tiny.shifted(filled, shifts)
    both = np.stack([clean, signals.inject(clean, tiny.start)])
    expected = tiny.reference(run_dir, manifest, both)
    np.testing.assert_allclose(
        found[:, ~spoilt], expected[:, ~spoilt], rtol=1e-4
    )
    missing = tiny.shifted(holes, shifts).any(axis=0)
    for n, is_spoilt in enumerate(spoilt):
        end = 2048 + (n + 1) * 64
        begin = end - (192 + 128)
        psd = 2048 + n // 16 * 1024 + 64 - (192 + 128) - 2048
        used = missing[max(psd, 0) : max(psd + 2048, 0)].any()
        assert is_spoilt == (used or missing[begin:end].any())
    assert 0 < spoilt.sum() < len(spoilt)


def test_what_slides_share_does_not_change_them(
    tiny, run_dir, manifest, tmp_path
):
    """A channel of several slides is whitened once, but where they end."""
    strain = tiny.noise(20.0)
    path = tiny.write_background(tmp_path / "background.hdf5", strain)
    engine = DirectEngine(run_dir, manifest, chunk=7)
    with SegmentStrain(path, tiny.ifos, tiny.sample_rate) as segment:
        slides = [SlideStrain(segment, [0.0, i / 2]) for i in range(9)]
        together = all_outputs(engine, slides)
        for slide, outputs in zip(slides, together, strict=True):
            alone = outputs_of(engine, slide)
            np.testing.assert_allclose(outputs, alone, atol=1e-6)


def test_kernels_without_a_signal_are_evaluated_once(
    tiny, run_dir, manifest, signals, tmp_path, monkeypatch
):
    """And have the very numbers of the background."""
    path = tiny.write_background(tmp_path / "b.hdf5", tiny.noise(SECONDS))
    one = dataclasses.replace(signals[5], num_injections=1)
    engine = DirectEngine(run_dir, manifest)
    launch, evaluated = engine.network.launch, []

    def count(pool, kernels, index):
        evaluated.append(len(index))
        return launch(pool, kernels, index)

    monkeypatch.setattr(engine.network, "launch", count)
    with SegmentStrain(path, tiny.ifos, tiny.sample_rate) as segment:
        slide = SlideStrain(segment, SHIFTS[0], one)
        found = outputs_of(engine, slide)
        strain = slide.read(0, slide.num_samples)
    ends = 2048 + (np.arange(found.shape[1]) + 1) * 64
    differ = np.flatnonzero((strain[1] != strain[0]).any(axis=0))
    touched = (ends > differ[0]) & (ends - 320 <= differ[-1])
    assert 0 < touched.sum() < 20
    assert sum(evaluated) == found.shape[1] + touched.sum()
    np.testing.assert_array_equal(found[1, ~touched], found[0, ~touched])
    assert (found[1, touched] != found[0, touched]).any()
    expected = tiny.reference(run_dir, manifest, strain)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
