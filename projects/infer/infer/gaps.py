"""Which outputs were made of data that are not there."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from infer.layout import StreamLayout


class Gapped(Protocol):
    """Strain in which gaps were replaced by zeros."""

    def replaced(self, first: int, size: int) -> NDArray[np.int64]:
        """Give gaps as :meth:`infer.data.SlideStrain.replaced` does."""
        ...


def masked(
    slide: Gapped, layout: StreamLayout, first: int, count: int
) -> NDArray[np.bool_]:
    """Find the outputs that depend on a replaced sample of any ifo.

    An output depends on the data that its request's PSD is estimated from,
    and on its kernel with ``fduration / 2`` seconds on each side.

    Args:
        slide: the strain.
        layout: of the slide.
        first: the first output asked for, counted from the end of the
            burn-in.
        count: number of outputs.

    Returns:
        A mask of shape ``(count,)``, true where an output means nothing.
    """
    outputs = np.arange(first, first + count)
    ends = layout.psd_size + (outputs + 1) * layout.stride
    starts = ends - layout.window_size
    requests = outputs // layout.batch_size
    psd_starts = (
        layout.psd_size + requests * layout.update_size - layout.state_size
    )
    begin, end = int(psd_starts.min()), int(ends.max())
    gaps = slide.replaced(begin, end - begin)
    if not len(gaps):
        return np.zeros(count, dtype=bool)
    in_psd = _hits(gaps, psd_starts, psd_starts + layout.psd_size)
    return in_psd | _hits(gaps, starts, ends)


def _hits(
    gaps: NDArray[np.int64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Whether any gap, in order and apart, reaches into each span."""
    after = np.searchsorted(gaps[:, 1], starts, side="right")
    begins = np.append(gaps[:, 0], np.iinfo(np.int64).max)
    return begins[after] < stops
