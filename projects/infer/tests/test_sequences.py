"""Slides as sequences, against a server that loses them at any time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from infer.data import ArraySlide
from infer.layout import StreamLayout
from infer.sequences import InFlight, SlideSequence


class Server:
    """Answers with sums over what its outputs depend on."""

    def __init__(self, layout):
        self.layout = layout
        self.state = {}

    def answer(self, key, request):
        size = (*request.strain.shape[:2], self.layout.state_size)
        state = np.zeros(size) if request.start else self.state[key]
        full = np.concatenate([state, request.strain], axis=-1)
        self.state[key] = full[..., self.layout.update_size :]
        window = self.layout.state_size + self.layout.stride
        edges = self.layout.stride * np.arange(self.layout.batch_size)
        return np.stack(
            [full[..., i : i + window].sum((1, 2)) for i in edges], axis=1
        )


@settings(deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 12),
    st.integers(0, 30),
    st.integers(1, 50),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
)
def test_outputs_come_once_and_in_order(
    batch_size, burn_in, extra, outputs, window, seed
):
    layout = StreamLayout(
        num_samples=3 * (burn_in + outputs) + 2,
        stride=3,
        batch_size=batch_size,
        burn_in=burn_in,
        state_size=3 * burn_in + extra,
    )
    shape = (2, 2, layout.num_samples)
    rng = np.random.default_rng(seed)
    strain = rng.integers(-9, 9, shape).astype(float)
    sequence = SlideSequence(0, ArraySlide(strain), layout)
    server, under_way, found = Server(layout), [], []
    while not sequence.done:
        if sequence.may_send(window):
            request = sequence.next_request()
            values = server.answer(sequence.id, request)
            under_way.append((request.number, values))
            continue
        if rng.random() < 0.05:
            sequence.start()
            server.state.clear()
            under_way.clear()
            continue
        # In whatever order they come.
        place = rng.integers(len(under_way))
        found.extend(sequence.accept(*under_way.pop(place)))
    padded = np.concatenate([np.zeros((2, 2, 999)), strain], axis=-1)
    size = layout.state_size + layout.stride
    edges = 999 + layout.stride * (np.arange(outputs) + burn_in + 1)
    expected = [padded[..., e - size : e].sum((1, 2)) for e in edges]
    np.testing.assert_array_equal(
        np.concatenate(found, axis=1), np.stack(expected, axis=1)
    )


def sequence_of_one_request():
    layout = StreamLayout(
        num_samples=20, stride=2, batch_size=8, burn_in=2, state_size=6
    )
    return SlideSequence(0, ArraySlide(np.ones((1, 2, 20))), layout)


def test_ids_are_new_after_each_start():
    sequence = sequence_of_one_request()
    before = sequence.id
    assert not sequence.known
    sequence.next_request()
    assert sequence.known
    sequence.start()
    assert sequence.id != before
    assert not sequence.known
    assert sequence.zeros().shape == (1, 2, 16)


def test_places_are_taken_and_freed():
    sequence, in_flight = sequence_of_one_request(), InFlight(2)
    one, first = in_flight.add(sequence, 0)
    _, second = in_flight.add(sequence, 1)
    assert {first, second} == {0, 1}
    assert in_flight.full
    sent = in_flight.take(one)
    assert (sent.sequence, sent.number, sent.slot) == (sequence, 0, first)
    assert sent.current
    assert in_flight.take(one) is None
    assert not in_flight.full
    key, _ = in_flight.add(sequence, 2)
    sequence.start()
    assert not in_flight.take(key).current
    in_flight.add(sequence, 3)
    in_flight.clear()
    assert in_flight.take(key) is None
