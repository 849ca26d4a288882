"""Slides on the real server, several at a time."""

import dataclasses
import itertools
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conventions.errors import UserError
from infer.client import StreamClient
from infer.data import ArraySlide
from infer.layout import StreamLayout
from infer.shared_memory import PREFIX
from infer.streams import InferenceError
from infer.triton_engine import TritonEngine


@pytest.fixture(scope="module")
def slides(tiny):
    """With and without injections, of several lengths, none a whole one."""
    return [
        ArraySlide(
            np.stack([tiny.noise(29.3 + 3.7 * i, seed=i)] * (1 + i % 2))
            * np.array([1.0, 1.5])[: 1 + i % 2, None, None]
        )
        for i in range(11)
    ]


def all_outputs(engine, slides):
    found = [[] for _ in slides]
    for position, outputs in engine.evaluate(slides):
        found[position].append(outputs)
    return [np.concatenate(pieces, axis=1) for pieces in found]


@pytest.fixture(scope="module")
def alone(address, manifest, slides):
    """Outputs of the slides, one after another, by plain messages."""
    with TritonEngine(
        address, manifest, streams=1, shared_memory=False
    ) as engine:
        return all_outputs(engine, slides)


# The server has eight places for sequences.
@pytest.mark.parametrize("streams", [1, 3, 11])
@pytest.mark.parametrize("shared_memory", [True, False])
def test_slides_take_turns(
    address, manifest, slides, alone, streams, shared_memory
):
    with TritonEngine(
        address, manifest, streams=streams, shared_memory=shared_memory
    ) as engine:
        assert engine.shared_memory is shared_memory
        found = all_outputs(engine, slides)
        assert engine.recoveries == 0
    for slide, outputs, expected in zip(slides, found, alone, strict=True):
        layout = StreamLayout.from_manifest(manifest, slide.num_samples)
        assert outputs.shape == (slide.streams, layout.num_outputs)
        np.testing.assert_allclose(outputs, expected, rtol=1e-5)
    if streams > 1:
        assert np.ptp(found[1][1] - found[1][0]) > 0.01


def test_memory_is_shared_where_that_works(address, manifest):
    with TritonEngine(address, manifest) as engine:
        assert engine.shared_memory
        assert list(engine.evaluate([])) == []
    assert not list(Path("/dev/shm").glob(f"{PREFIX}-*"))


class Counted(ArraySlide):
    """Counts what has been read of it."""

    def __init__(self, strain, reads):
        super().__init__(strain)
        self.reads = reads

    def read(self, first, size):
        self.reads.append(size)
        return super().read(first, size)


def test_requests_under_way_are_bounded(tiny, address, manifest):
    reads, taken = [], 0
    slides = [Counted(tiny.noise(100.0)[None], reads) for _ in range(3)]
    layout = StreamLayout.from_manifest(manifest, slides[0].num_samples)
    most = 0
    with TritonEngine(address, manifest, streams=3) as engine:
        for _ in engine.evaluate(slides):
            taken += 1
            # Requests of the burn-in are answered and give nothing out.
            most = max(most, len(reads) - taken - 3 * layout.first_request)
    assert taken + 3 * layout.first_request == 3 * layout.num_requests
    assert most <= 6


class Fails(ArraySlide):
    """Fails for ever, or gives something else, from a request on."""

    def __init__(self, strain, instead):
        super().__init__(strain)
        self.instead, self.bad = instead, False

    def read(self, first, size):
        data = super().read(first, size)
        self.bad = self.bad or first >= 4000
        return self.instead(data) if self.bad else data


def two_streams(data):
    return np.concatenate([data, data])


def no_data(data):
    raise OSError("the disk is gone")


@pytest.mark.parametrize("shared_memory", [True, False])
@pytest.mark.parametrize(
    ("instead", "kind", "message"),
    [
        (lambda data: data[..., :17], InferenceError, r"shape.*17"),
        (two_streams, InferenceError, "began with 1 streams"),
        (no_data, OSError, "the disk is gone"),
    ],
)
def test_errors_are_raised_at_once(
    tiny,
    address,
    manifest,
    slides,
    alone,
    instead,
    kind,
    message,
    shared_memory,
):
    bad = Fails(tiny.noise(40.0)[None], instead)
    with TritonEngine(
        address, manifest, shared_memory=shared_memory, streams=8
    ) as engine:
        with pytest.raises(kind, match=message):
            list(engine.evaluate([*slides[:7], bad]))
        assert engine.recoveries == 0
        # All places at the server are free again.
        began = time.monotonic()
        found = all_outputs(engine, slides)
        assert time.monotonic() - began < 60
    np.testing.assert_allclose(found[3], alone[3], rtol=1e-5)
    assert not list(Path("/dev/shm").glob(f"{PREFIX}-*"))


def test_evaluation_that_is_given_up(address, manifest, slides, alone):
    with TritonEngine(address, manifest, streams=8) as engine:
        for _ in range(3):
            run = engine.evaluate(slides)
            next(run)
            with pytest.raises(RuntimeError, match="one call at a time"):
                next(engine.evaluate(slides))
            run.close()
        found = all_outputs(engine, slides)
    np.testing.assert_allclose(found[0], alone[0], rtol=1e-5)


def test_waiting_for_a_place_is_no_failure(tiny, address, manifest):
    """Others may have all places for longer than the time-out."""
    long = [ArraySlide(tiny.noise(200.0)[None]) for _ in range(8)]

    def occupy():
        with TritonEngine(address, manifest, streams=8) as engine:
            for count, _ in enumerate(engine.evaluate(long)):
                if count == 8:
                    begun.set()
                time.sleep(0.01)

    begun, done = threading.Event(), []
    other = threading.Thread(target=occupy)
    other.start()
    begun.wait(30)
    with TritonEngine(address, manifest, timeout=0.5, patience=0) as engine:
        done = all_outputs(engine, long[:1])
    other.join()
    assert done[0].shape == (1, 768)


def test_request_that_is_lost(address, manifest, slides, alone, monkeypatch):
    """Though the server, as on others' behalf, seems to work on."""
    monkeypatch.setattr("infer.triton_engine.LONGEST_WAIT", 2.0)
    monkeypatch.setattr(
        StreamClient, "requests_served", lambda client: time.monotonic()
    )
    send, count = StreamClient.send, itertools.count()

    def lossy(client, request, sequence, last):
        if next(count) != 5:
            send(client, request, sequence, last)

    monkeypatch.setattr(StreamClient, "send", lossy)
    with TritonEngine(address, manifest, streams=3, timeout=1.0) as engine:
        found = all_outputs(engine, slides[:3])
        assert engine.recoveries >= 1
    for outputs, expected in zip(found, alone, strict=False):
        np.testing.assert_allclose(outputs, expected, rtol=1e-5)


def test_segment_too_short(tiny, address, manifest):
    slide = ArraySlide(tiny.noise(8.0)[None])
    with (
        TritonEngine(address, manifest) as engine,
        pytest.raises(UserError, match="psd_length is 8 s"),
    ):
        list(engine.evaluate([slide]))


def test_another_network_is_refused(address, manifest):
    other = dataclasses.replace(manifest, batch_size=17)
    with (
        pytest.raises(UserError, match=r"batch_size: 16 at .* 17 in the"),
        TritonEngine(address, other),
    ):
        pass


def test_training_manifest_is_refused(address, manifest):
    other = dataclasses.replace(manifest, batch_size=None, psd_length=None)
    with (
        pytest.raises(UserError, match=r"psd_length: 8.0 at .* None in the"),
        TritonEngine(address, other),
    ):
        pass


def test_no_server(manifest):
    with (
        pytest.raises(UserError, match="no inference server answers"),
        TritonEngine("127.0.0.1:9", manifest),
    ):
        pass


def test_outside_of_its_context(manifest, slides):
    engine = TritonEngine("127.0.0.1:9", manifest)
    with pytest.raises(RuntimeError, match="inside its context"):
        next(engine.evaluate(slides))


@pytest.mark.parametrize(
    ("name", "value"), [("streams", 0), ("patience", -1), ("timeout", 0.0)]
)
def test_impossible_numbers(manifest, name, value):
    with pytest.raises(UserError, match=f"{name}: {value}"):
        TritonEngine("127.0.0.1:9", manifest, **{name: value})
