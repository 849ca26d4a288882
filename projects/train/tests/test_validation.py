from collections import Counter

import numpy as np
import pytest
from conventions.errors import UserError
from train.data import SupervisedAframeDataset
from train.data.background import Reader, find
from train.data.validation import (
    SlidePlan,
    Stretch,
    ValidationBatches,
    even_share,
)
from train.waveforms.reader import WaveformReader

RATE = 256
IFOS = ("H1", "L1")
PLAN = SlidePlan(
    num_ifos=2, head=100, stride=5, window=4, max_windows=3, shift=7
)


def test_pieces_cover_each_slide_once(tmp_path):
    stretch = Stretch(tmp_path / "a", 1000, 2000)
    pieces = PLAN.pieces([stretch], livetime=2000)
    slides = Counter(p.starts[1] - p.starts[0] for p in pieces)
    assert sorted(slides) == [7, 14, 21]  # never zero lag
    for slide in slides:
        edges = []
        for piece in pieces:
            if piece.starts[1] - piece.starts[0] != slide:
                continue
            outputs = (piece.size - PLAN.head) // PLAN.stride + 1
            assert (piece.size - PLAN.head) % PLAN.stride == 0
            assert outputs % PLAN.window == 0
            assert outputs <= PLAN.window * PLAN.max_windows
            assert piece.starts[1] + piece.size <= stretch.stop
            first = piece.starts[0] + PLAN.head
            edges += [first + 5 * i for i in range(outputs)]
        # every output once, evenly spaced, from the first possible on
        assert edges == list(range(1100, 1100 + 5 * len(edges), 5))
        lost = stretch.stop - slide - edges[-1]
        assert lost < PLAN.window * PLAN.stride


def test_livetime_is_reached_but_not_by_far(tmp_path):
    stretches = [
        Stretch(tmp_path / "a", 0, 1000),
        Stretch(tmp_path / "b", 0, 500),
    ]
    for livetime in (1, 1000, 5000):
        pieces = PLAN.pieces(stretches, livetime)
        reached = sum(p.size - PLAN.head + PLAN.stride for p in pieces)
        assert livetime <= reached <= livetime + 1500


def test_unreachable_livetime_is_an_error(tmp_path):
    with pytest.raises(UserError, match="valid_livetime cannot be reached"):
        PLAN.pieces([Stretch(tmp_path / "a", 0, 300)], 100_000)
    with pytest.raises(UserError, match="0 time-slides give 0%"):
        PLAN.pieces([Stretch(tmp_path / "a", 0, 99)], 1)
    with pytest.raises(UserError, match="cannot be reached"):
        PLAN.pieces([], 1)


def test_batches_hold_every_signal_once(directories):
    background, waveforms = directories
    stretches = find(background, IFOS, RATE)[1:]
    plan = SlidePlan(2, 10 * RATE, RATE // 2, 4, 5, RATE)
    pieces = plan.pieces(stretches, 300 * RATE)
    responses = WaveformReader(
        waveforms / "val_waveforms.hdf5", ("h1", "l1"), RATE
    )
    batches = ValidationBatches(pieces, responses, IFOS)
    everything = [batches[i] for i in range(len(batches))]
    signals = np.concatenate([b["responses"] for b in everything])
    np.testing.assert_array_equal(signals, responses.read(range(10)))
    for piece, batch in zip(pieces, everything, strict=True):
        assert batch["X"].shape == (2, piece.size)
        out = np.empty(piece.size, dtype=np.float32)
        Reader(IFOS).read_into(out, piece.stretch.path, 1, piece.starts[1])
        np.testing.assert_array_equal(batch["X"][1], out)
        assert batch["counts"]


@pytest.mark.parametrize("count", [1, 2, 7, 12])
@pytest.mark.parametrize("devices", [1, 2, 3, 8])
def test_devices_share_all_pieces_evenly(count, devices):
    shares = [list(even_share(count, i, devices)) for i in range(devices)]
    assert len({len(share) for share in shares}) == 1
    everything = sorted(i for share in shares for i in share)
    assert everything[:count] == list(range(count))
    assert len(everything) - count < devices
    if devices == 1:
        assert shares[0] == list(range(count))


def test_a_batch_that_makes_up_the_numbers_adds_no_scores(settings):
    data = SupervisedAframeDataset(**settings)
    data.setup()
    batch = data.valid_set[len(data.valid_set)]
    assert not batch["counts"]
    background, foreground = data.validation_batch(batch)
    assert background.shape == (0, 16, 2, 384)
    assert foreground.shape == (0, 5, 2, 384)
