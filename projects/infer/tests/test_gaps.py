from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from infer.gaps import masked
from infer.layout import StreamLayout
from infer.segment import runs


class Holes:
    """Missing samples by their index."""

    def __init__(self, missing):
        self.missing = missing

    def replaced(self, first, size):
        wanted = np.arange(first, first + size)
        inside = (wanted >= 0) & (wanted < len(self.missing))
        mask = np.zeros(size, dtype=bool)
        mask[inside] = self.missing[wanted[inside]]
        return runs(mask) + first


@given(
    st.sets(st.integers(0, 149), max_size=4),
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(1, 25),
    st.lists(st.integers(0, 50), max_size=3),
)
def test_what_an_output_depends_on(holes, batch_size, burn_in, window, cuts):
    """Brute force: its request's PSD, and its kernel with the filter."""
    stride, num_samples = 3, 150
    missing = np.zeros(num_samples, dtype=bool)
    missing[list(holes)] = True
    psd_size = burn_in * stride
    layout = StreamLayout(
        num_samples=num_samples,
        stride=stride,
        batch_size=batch_size,
        burn_in=burn_in,
        state_size=psd_size + window - stride,
    )
    assert (layout.psd_size, layout.window_size) == (psd_size, window)
    expected = []
    for request in range(layout.first_request, layout.num_requests):
        first = layout.first_sample(request) - layout.state_size
        counted = layout.outputs_of(request)
        assert counted.start == 0
        for i in range(counted.stop):
            used = [*range(first, first + psd_size)]
            kernel = first + psd_size + i * stride
            used += range(kernel, kernel + window)
            used = [k for k in used if 0 <= k < num_samples]
            expected.append(bool(missing[used].any()))
    total = layout.num_outputs
    bounds = sorted({0, total, *(cut for cut in cuts if cut < total)})
    found = [
        masked(Holes(missing), layout, begin, end - begin)
        for begin, end in pairwise(bounds)
    ]
    assert np.concatenate(found).tolist() == expected
