import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from infer.data import SegmentReader
from infer.layout import StreamLayout


@pytest.fixture
def strain(tiny):
    return tiny.noise(20.5)


@pytest.fixture
def background(tiny, strain, tmp_path):
    return tiny.write_background(tmp_path / "background.hdf5", strain)


@pytest.fixture
def reader(tiny, background):
    with SegmentReader(
        background, tiny.ifos, tiny.sample_rate, [0.0, 2.0]
    ) as opened:
        yield opened


def test_shifts(reader, strain):
    assert reader.num_samples == strain.shape[1] - 512
    data = reader.read(100, 300)
    np.testing.assert_array_equal(data[0], strain[0, 100:400])
    np.testing.assert_array_equal(data[1], strain[1, 612:912])


def test_zeros_outside_of_the_segment(reader, strain):
    data = reader.read(-10, 20)
    assert not data[:, :10].any()
    np.testing.assert_array_equal(data[1, 10:], strain[1, 512:522])
    data = reader.read(reader.num_samples - 5, 10)
    # Simultaneous data have ended: H1 has more, which is not used.
    assert not data[:, 5:].any()
    assert data[:, :5].all()
    assert not reader.read(10**6, 5).any()


def test_part_of_a_file(tiny, background, strain):
    start = tiny.start + 3
    with SegmentReader(
        background, tiny.ifos, tiny.sample_rate, [1.0, 0.0], start, start + 6
    ) as reader:
        assert reader.start == start
        assert reader.num_samples == 5 * 256
        data = reader.read(0, reader.num_samples)
    np.testing.assert_array_equal(data[0], strain[0, 1024 : 1024 + 1280])
    np.testing.assert_array_equal(data[1], strain[1, 768 : 768 + 1280])


def test_updates_inject_as_one_pass(tiny, reader, strain, manifest):
    layout = StreamLayout.from_manifest(manifest, reader.num_samples)
    # Across the start, request edges, one another, and the end.
    times = [0.2, 4.0, 11.9, 12.1, 18.3]
    injections = tiny.signals([tiny.start + t for t in times], [0.0, 2.0])
    updates = np.concatenate(list(reader.updates(layout, injections)), -1)
    begin = layout.lead * layout.stride
    size = min(reader.num_samples, updates.shape[-1] - begin)
    clean = np.stack([strain[0, :-512], strain[1, 512:]])[:, :size]
    expected = np.stack([clean, injections.inject(clean, tiny.start)])
    assert not updates[..., :begin].any()
    np.testing.assert_array_equal(
        updates[..., begin : begin + size], expected.astype(np.float32)
    )
    assert not updates[..., begin + reader.num_samples :].any()


def test_no_injections_is_one_stream(tiny, reader, manifest):
    layout = StreamLayout.from_manifest(manifest, reader.num_samples)
    none = tiny.signals([], [0.0, 2.0])
    for injections in (None, none):
        shapes = {x.shape for x in reader.updates(layout, injections)}
        assert shapes == {(1, 2, layout.update_size)}


def test_not_a_number_is_named(tiny, strain, tmp_path):
    strain[1, 1000] = np.nan
    path = tiny.write_background(tmp_path / "gap.hdf5", strain)
    with (
        SegmentReader(path, tiny.ifos, tiny.sample_rate, [0.0, 2.0]) as reader,
        pytest.raises(UserError) as caught,
    ):
        reader.read(0, 2000)
    assert f"L1 in {path} is nan at GPS" in str(caught.value)
    assert f"{tiny.start + 1000 / 256:.6f}" in str(caught.value)


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
    arguments = {
        "background": background,
        "ifos": tiny.ifos,
        "sample_rate": tiny.sample_rate,
        "shifts": [0.0, 1.0],
    }
    with pytest.raises(UserError, match=message):
        SegmentReader(**arguments | changes)


def test_missing_or_foreign_file(tiny, tmp_path):
    path = tmp_path / "none.hdf5"
    for content, message in (
        (None, "there is no background file"),
        ("text", "not a readable HDF5 file"),
    ):
        if content is not None:
            path.write_text(content)
        with pytest.raises(UserError, match=message):
            SegmentReader(path, tiny.ifos, tiny.sample_rate, [0.0, 0.0])


def test_channel_without_a_time(tiny, background):
    with h5py.File(background, "a") as file:
        del file["L1"].attrs["x0"]
    with pytest.raises(UserError, match=r"L1 in .* lacks the attribute"):
        SegmentReader(background, tiny.ifos, tiny.sample_rate, [0.0, 0.0])
