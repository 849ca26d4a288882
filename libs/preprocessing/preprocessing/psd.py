"""Power spectral density by Welch's method with a median average."""

import numpy as np
import torch
from conventions.errors import UserError
from torch import Tensor

from preprocessing.config import whole_samples


def median_bias(count: int) -> float:
    """Ratio of the median to the mean of ``count`` periodograms.

    Args:
        count: number of segments that are averaged.

    Returns:
        1 + sum of 1/(2i + 1) - 1/(2i) for i from 1 to (count - 1)/2; Allen
        et al., arXiv:gr-qc/0509116, appendix B.
    """
    bias = 1.0
    for i in range(2, count, 2):
        bias += 1.0 / (i + 1) - 1.0 / i
    return bias


class PsdEstimator(torch.nn.Module):
    """One-sided PSD: Welch, Hann window, median average, in float64.

    The same numbers as ``scipy.signal.welch(..., average="median")``: each
    segment's mean is removed, segments overlap by half unless told
    otherwise, the median's bias is corrected.

    Args:
        sample_rate: in Hz.
        fftlength: of a segment, in seconds.
        overlap: of neighbouring segments, in seconds; by default half a
            segment.

    Raises:
        UserError: if a length is not a whole number of samples, or the
            overlap is not shorter than a segment.
    """

    def __init__(
        self,
        sample_rate: float,
        fftlength: float,
        overlap: float | None = None,
    ) -> None:
        super().__init__()
        self.segment_size = whole_samples("fftlength", fftlength, sample_rate)
        if overlap is None:
            overlap_size = self.segment_size // 2
        else:
            overlap_size = whole_samples("overlap", overlap, sample_rate)
        if not 0 <= overlap_size < self.segment_size:
            raise UserError(
                f"overlap: {overlap} s must be at least 0 and shorter than "
                f"fftlength {fftlength} s"
            )
        self.step = self.segment_size - overlap_size
        window = torch.hann_window(self.segment_size, dtype=torch.float64)
        scale = 1 / (sample_rate * float((window**2).sum()))
        one_sided = torch.full((self.segment_size // 2 + 1,), 2 * scale)
        one_sided = one_sided.double()
        one_sided[0] = scale
        if self.segment_size % 2 == 0:
            one_sided[-1] = scale
        self.register_buffer("window", window)
        self.register_buffer("lines", torch.fft.rfft(window)[:2].real)
        self.register_buffer("one_sided", one_sided)

    def forward(self, X: Tensor) -> Tensor:
        """Estimate the PSD of each channel.

        Args:
            X: strain of shape ``(..., time)``, at least one segment long.

        Returns:
            PSD in 1/Hz of shape ``(..., frequency)``, float64, at
            frequencies k / fftlength.
        """
        segments = X.double().unfold(-1, self.segment_size, self.step)
        return self.average(self.periodograms(segments))

    @torch.jit.export
    def periodograms(self, segments: Tensor) -> Tensor:
        """Power of each segment, unscaled.

        Args:
            segments: strain, float64, of shape ``(..., segment_size)``.

        Returns:
            Power of shape ``(..., frequency)``.
        """
        spectra = torch.fft.rfft(segments * self.window, dim=-1)
        parts = torch.view_as_real(spectra)
        # a constant seen through a Hann window has three lines, at -1, 0, 1
        parts[..., :2, 0] -= segments.mean(-1, keepdim=True) * self.lines
        parts = parts.square_()
        return parts[..., 0] + parts[..., 1]

    @torch.jit.export
    def average(self, power: Tensor) -> Tensor:
        """Average the periodograms of a PSD.

        Args:
            power: of shape ``(..., segment, frequency)``.

        Returns:
            PSD in 1/Hz of shape ``(..., frequency)``.
        """
        return _median(power) * self.one_sided


def _median(power: Tensor) -> Tensor:
    """Median over the last but one dimension, its bias removed."""
    count = power.size(-2)
    if count <= 17:
        low, high = _middle(list(power.unbind(-2)))
    elif not _recorded() and power.device.type == "cpu":
        low, high = _selected(power)
    else:
        # a sort of the smaller half would take as long as finding it
        half, _ = power.transpose(-1, -2).topk(
            count // 2 + 1, largest=False, sorted=False
        )
        high = half.amax(-1)
        low = high if count % 2 else half.topk(2).values[..., 1]
    return (low + high) / (2 * median_bias(count))


def _recorded() -> bool:
    """Whether only torch's own operations can be used."""
    return torch.jit.is_scripting() or torch.jit.is_tracing()


@torch.jit.unused
def _selected(power: Tensor) -> tuple[Tensor, Tensor]:
    """The two middle values by numpy, several times faster than torch."""
    count = power.size(-2)
    low, high = (count - 1) // 2, count // 2
    halves = np.partition(power.numpy(), sorted({low, high}), axis=-2)
    middle = torch.from_numpy(halves)
    return middle.select(-2, low), middle.select(-2, high)


def _middle(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The two middle values of a few rows, by forgetful selection.

    The smallest and the largest of more than half of all values are not in
    the middle: they are dropped, the next is looked at. Whole-row minima and
    maxima are several times faster than a sort along a short strided
    dimension, and these are half as many as a sort by exchanges takes.
    """
    kept = rows[:1]
    seen = 1
    for count in range(len(rows), 2, -2):
        more = count // 2 + 2 - len(kept)
        kept = _without_extremes(kept + rows[seen : seen + more])
        seen += more
    kept = kept + rows[seen:]
    return torch.minimum(kept[0], kept[-1]), torch.maximum(kept[0], kept[-1])


def _without_extremes(rows: list[Tensor]) -> list[Tensor]:
    """All but the smallest and the largest value, in any order."""
    pairs = len(rows) // 2
    low = [torch.minimum(rows[i], rows[-1 - i]) for i in range(pairs)]
    high = [torch.maximum(rows[i], rows[-1 - i]) for i in range(pairs)]
    rest = []
    smallest = low[0]
    for row in low[1:]:
        rest.append(torch.maximum(smallest, row))
        smallest = torch.minimum(smallest, row)
    if len(rows) % 2:
        high.append(torch.maximum(smallest, rows[pairs]))
    largest = high[0]
    for row in high[1:]:
        rest.append(torch.minimum(largest, row))
        largest = torch.maximum(largest, row)
    return rest
