from itertools import pairwise

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st
from infer import segment as reading
from infer.data import ArraySlide, SlideStrain
from infer.segment import SegmentStrain, runs


@pytest.fixture
def strain(tiny):
    return tiny.noise(20.5)


@pytest.fixture
def background(tiny, strain, tmp_path):
    return tiny.write_background(tmp_path / "background.hdf5", strain)


@pytest.fixture
def segment(tiny, background):
    with SegmentStrain(background, tiny.ifos, tiny.sample_rate) as opened:
        yield opened


@pytest.fixture
def slide(segment):
    return SlideStrain(segment, [0.0, 2.0])


def test_shifts(slide, strain):
    assert slide.num_samples == strain.shape[1] - 512
    assert slide.streams == 1
    (found,) = slide.read(100, 300)
    assert found.dtype == np.float32
    expected = strain.astype(np.float32)
    np.testing.assert_array_equal(found[0], expected[0, 100:400])
    np.testing.assert_array_equal(found[1], expected[1, 612:912])


def test_zeros_outside_of_the_segment(slide, strain):
    (found,) = slide.read(-10, 20)
    assert not found[:, :10].any()
    expected = strain[1, 512:522].astype(np.float32)
    np.testing.assert_array_equal(found[1, 10:], expected)
    (found,) = slide.read(slide.num_samples - 5, 10)
    # Simultaneous data have ended: H1 has more, which is not used.
    assert not found[:, 5:].any()
    assert found[:, :5].all()
    assert not slide.read(10**6, 5).any()
    assert not slide.read(-9, 5).any()


def test_part_of_a_file(tiny, background, strain):
    start = tiny.start + 3
    with SegmentStrain(
        background, tiny.ifos, tiny.sample_rate, start, start + 6
    ) as segment:
        assert segment.start == start
        slide = SlideStrain(segment, [1.0, 0.0])
        assert slide.num_samples == 5 * 256
        (found,) = slide.read(0, slide.num_samples)
    expected = strain.astype(np.float32)
    np.testing.assert_array_equal(found[0], expected[0, 1024 : 1024 + 1280])
    np.testing.assert_array_equal(found[1], expected[1, 768 : 768 + 1280])


def test_blocks_are_seamless_and_few(tiny, strain, tmp_path, monkeypatch):
    """Also where a segment begins in the midst of a block."""
    monkeypatch.setattr(reading, "BLOCK", 100)
    monkeypatch.setattr(reading, "KEPT", 3)
    holes = np.zeros(strain.shape, dtype=bool)
    holes[0, [0, 399, 400, 401, 1234]] = True
    holes[1, 1000:1300] = True
    expected = np.where(holes, 0, strain).astype(np.float32)
    strain[holes] = np.nan
    path = tiny.write_background(tmp_path / "b.hdf5", strain)
    start = tiny.start + 0.25
    with SegmentStrain(path, tiny.ifos, tiny.sample_rate, start) as segment:
        slide = SlideStrain(segment, [0.25, 0.0])
        rng = np.random.default_rng(0)
        for first in [*rng.integers(0, slide.num_samples - 350, 50), 0]:
            (found,) = slide.read(first, 350)
            np.testing.assert_array_equal(
                found[0], expected[0, first + 128 : first + 478]
            )
            np.testing.assert_array_equal(
                found[1], expected[1, first + 64 : first + 414]
            )
            assert len(segment._blocks) <= 6
            lost = np.zeros(350, dtype=bool)
            for begin, end in slide.replaced(first, 350):
                assert begin < end
                lost[begin - first : end - first] = True
            there = holes[0, first + 128 : first + 478]
            there = there | holes[1, first + 64 : first + 414]
            np.testing.assert_array_equal(lost, there)
            gaps = slide.replaced(first, 350)
            assert all(a[1] < b[0] for a, b in pairwise(gaps))


def test_nothing_is_replaced_outside(slide):
    for first in (-100, slide.num_samples):
        assert slide.replaced(first, 100).shape == (0, 2)
    assert slide.replaced(0, 4000).shape == (0, 2)


def test_injections_as_one_pass(tiny, segment, strain):
    """In pieces of any size, across the start, one another, and the end."""
    times = [0.2, 4.0, 11.9, 12.1, 18.3]
    injections = tiny.signals([tiny.start + t for t in times], [0.0, 2.0])
    slide = SlideStrain(segment, [0.0, 2.0], injections)
    assert slide.streams == 2
    clean = tiny.shifted(strain, [0.0, 2.0])
    expected = np.stack([clean, injections.inject(clean, tiny.start)])
    size = slide.num_samples
    for step in (977, size):
        pieces = [slide.read(i, step) for i in range(0, size, step)]
        found = np.concatenate(pieces, axis=-1)
        np.testing.assert_array_equal(
            found[..., :size], expected.astype(np.float32)
        )
        assert not found[..., size:].any()
    # Nothing is added to where there are no data.
    assert not slide.read(-200, 200).any()


def test_no_injections_is_one_stream(tiny, segment):
    for injections in (None, tiny.signals([], [0.0, 2.0])):
        assert SlideStrain(segment, [0.0, 2.0], injections).streams == 1


def test_equal_sources_are_equal_strain(segment):
    slides = [SlideStrain(segment, [0.0, shift]) for shift in (1.0, 3.0)]
    slides.append(SlideStrain(segment, [1.0, 1.0]))
    sources = [slide.sources for slide in slides]
    assert sources[0][0] == sources[1][0]
    assert sources[0][1] != sources[1][1]
    assert sources[0][1] == sources[2][1]
    assert sources[0][0] != sources[2][0]


def test_array_as_slide():
    strain = np.arange(24.0).reshape(2, 3, 4)
    slide = ArraySlide(strain)
    assert (slide.streams, slide.num_samples) == (2, 4)
    found = slide.read(-1, 6)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[..., 1:5], strain)
    assert not found[..., [0, 5]].any()
    assert not slide.read(9, 3).any()


@given(st.lists(st.booleans(), max_size=30))
def test_runs(mask):
    found = runs(np.array(mask, dtype=bool))
    again = np.zeros(len(mask), dtype=bool)
    for begin, end in found:
        assert begin < end
        again[begin:end] = True
    assert again.tolist() == mask
    assert all(one[1] < other[0] for one, other in pairwise(found))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample_rate": 512}, r"512 Hz expected, H1 in .* has 256 Hz"),
        ({"ifos": ("H1", "V1")}, "no channel V1; it has H1, L1"),
        ({"shifts": [0.0]}, "one delay for each of H1, L1"),
        ({"shifts": [0.0, -1.0]}, "zero or positive"),
        ({"shifts": [0.0, 0.001]}, "shift of L1 of 0.001 s"),
        ({"shifts": [0.0, 30.0]}, "leave nothing of the 20.5 s"),
        ({"start": 1.0}, "holds GPS"),
        ({"stop": 2e9}, "holds GPS"),
    ],
)
def test_mistakes(tiny, background, changes, message):
    arguments = {"ifos": tiny.ifos, "sample_rate": tiny.sample_rate}
    shifts = changes.pop("shifts", [0.0, 1.0])
    with (
        pytest.raises(UserError, match=message),
        SegmentStrain(background, **arguments | changes) as segment,
    ):
        SlideStrain(segment, shifts)


def test_missing_or_foreign_file(tiny, tmp_path):
    path = tmp_path / "none.hdf5"
    for content, message in (
        (None, "there is no background file"),
        ("text", "not a readable HDF5 file"),
    ):
        if content is not None:
            path.write_text(content)
        with pytest.raises(UserError, match=message):
            SegmentStrain(path, tiny.ifos, tiny.sample_rate)


def test_channel_without_a_time(tiny, background):
    with h5py.File(background, "a") as file:
        del file["L1"].attrs["x0"]
    with pytest.raises(UserError, match=r"L1 in .* lacks the attribute"):
        SegmentStrain(background, tiny.ifos, tiny.sample_rate)
