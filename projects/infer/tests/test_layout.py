import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st
from infer.layout import StreamLayout


@given(
    st.integers(1, 500),
    st.integers(1, 40),
    st.integers(0, 60),
)
def test_every_output_is_counted_once(extra, batch_size, burn_in):
    stride = 3
    layout = StreamLayout(
        num_samples=(burn_in + extra) * stride + 2,
        stride=stride,
        batch_size=batch_size,
        burn_in=burn_in,
        state_size=7,
    )
    assert layout.num_outputs == extra
    edges = []
    for request in range(layout.num_requests):
        counted = layout.outputs_of(request)
        assert 0 <= counted.start <= counted.stop <= batch_size
        first = layout.first_sample(request)
        edges += [
            first + (i + 1) * stride
            for i in range(counted.start, counted.stop)
        ]
    # Right edges, in samples, of all outputs after the burn-in.
    wanted = range(burn_in + 1, burn_in + extra + 1)
    assert edges == [n * stride for n in wanted]
    # The first output that counts is the first of its request.
    assert layout.skipped % batch_size == 0


def test_segment_without_outputs(manifest):
    size = 8 * 256
    with pytest.raises(UserError, match=r"8\.246\d* s of simultaneous"):
        StreamLayout.from_manifest(manifest, size + 63)
    assert StreamLayout.from_manifest(manifest, size + 64).num_outputs == 1
