"""Cuts strain into stretches that all interferometers have without gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from conventions.errors import UserError

from infer.search.resample import Resampler
from infer.search.strain import Series

STUCK = 1 / 16
GRID_TOLERANCE = 0.01


@dataclass(frozen=True)
class Stretch:
    """Strain of all interferometers, without gaps.

    Attributes:
        start: GPS seconds of the first sample.
        sample_rate: in Hz.
        strain: of shape ``(ifo, time)``, float64, finite.
    """

    start: float
    sample_rate: float
    strain: np.ndarray

    @property
    def duration(self) -> float:
        """Seconds of strain."""
        return self.strain.shape[-1] / self.sample_rate

    @property
    def stop(self) -> float:
        """GPS seconds one sample after the last."""
        return self.start + self.duration


@dataclass(frozen=True)
class _Piece:
    """Samples of one ifo on the common grid, counted from GPS 0."""

    first: int
    strain: np.ndarray

    @property
    def end(self) -> int:
        return self.first + len(self.strain)


def gapless(
    series: Sequence[Series],
    ifos: Sequence[str],
    sample_rate: float,
    step: int = 1,
) -> list[Stretch]:
    """Bring strain to one rate and grid, and cut it at every gap.

    A gap is a sample that is not finite, a value that repeats without a
    change for 1/16 s or longer, or time that no file covers. What the
    anti-alias filter spoils next to a gap is left out.

    Args:
        series: strain as read, any number of files per interferometer.
        ifos: interferometers in channel order.
        sample_rate: the network's, in Hz.
        step: stretches start at a multiple of so many samples from GPS 0.

    Returns:
        The stretches in order of time.

    Raises:
        UserError: if files overlap, a rate is too low, samples are not on
            a common grid, or there is no time that all interferometers
            have.
    """
    pieces = {
        ifo: _pieces([one for one in series if one.ifo == ifo], sample_rate)
        for ifo in ifos
    }
    common = pieces[ifos[0]]
    strains = [[piece.strain] for piece in common]
    spans = [(piece.first, piece.end) for piece in common]
    for ifo in ifos[1:]:
        spans, strains = _intersect(spans, strains, pieces[ifo])
    if not spans:
        covered = "; ".join(_covered(series, ifo) for ifo in ifos)
        raise UserError(
            f"{', '.join(ifos)} have no data at the same time: {covered}"
        )
    stretches = []
    for (first, end), strain in zip(spans, strains, strict=True):
        begin = -(-first // step) * step
        if begin < end:
            cut = np.stack([one[begin - first :] for one in strain])
            stretches.append(Stretch(begin / sample_rate, sample_rate, cut))
    return stretches


def _covered(series: Sequence[Series], ifo: str) -> str:
    own = [one for one in series if one.ifo == ifo]
    spans = ", ".join(f"{one.start:.3f} to {one.stop:.3f}" for one in own)
    finite = sum(int(_valid(one).sum()) / one.sample_rate for one in own)
    return f"{ifo} from {spans} ({finite:.3f} s of data)"


def _pieces(series: Sequence[Series], sample_rate: float) -> list[_Piece]:
    ordered = sorted(series, key=lambda one: one.start)
    for one, other in pairwise(ordered):
        if other.start < one.stop - 0.5 / one.sample_rate:
            raise UserError(
                f"{one.source} and {other.source} overlap in {one.ifo}: the "
                f"first ends at {one.stop:.3f}, the second starts at "
                f"{other.start:.3f}"
            )
    pieces = []
    for joined in _join(ordered):
        try:
            resampler = Resampler(joined.sample_rate, sample_rate)
        except UserError as error:
            raise UserError(f"{joined.source}: {error}") from None
        offset = _grid_index(joined)
        for begin, end in _runs(_valid(joined)):
            first, strain = resampler(offset + begin, joined.strain[begin:end])
            if len(strain):
                pieces.append(_Piece(first, strain))
    return pieces


def _join(ordered: Sequence[Series]) -> list[Series]:
    groups: list[list[Series]] = []
    for one in ordered:
        last = groups[-1][-1] if groups else None
        if (
            last is not None
            and last.sample_rate == one.sample_rate
            and abs(one.start - last.stop) < GRID_TOLERANCE / one.sample_rate
        ):
            groups[-1].append(one)
        else:
            groups.append([one])
    return [
        Series(
            group[0].ifo,
            group[0].start,
            group[0].sample_rate,
            np.concatenate([one.strain for one in group])
            if len(group) > 1
            else group[0].strain,
            group[0].source,
        )
        for group in groups
    ]


def _grid_index(series: Series) -> int:
    position = series.start * series.sample_rate
    index = round(position)
    if abs(position - index) > GRID_TOLERANCE:
        raise UserError(
            f"{series.source}: {series.ifo} starts at GPS {series.start!r}, "
            f"which is {position - index:+.2f} samples off the grid of "
            f"{series.sample_rate:g} Hz counted from GPS 0: channels could "
            "not be aligned"
        )
    return index


def _valid(series: Series) -> np.ndarray:
    valid = np.isfinite(series.strain)
    limit = max(2, round(STUCK * series.sample_rate))
    for begin, end in _runs(series.strain[1:] == series.strain[:-1]):
        if end - begin + 1 >= limit:
            valid[begin : end + 1] = False
    return valid


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Half-open index ranges over which ``mask`` is true."""
    padded = np.concatenate([[False], mask, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _intersect(
    spans: Sequence[tuple[int, int]],
    strains: Sequence[list[np.ndarray]],
    pieces: Sequence[_Piece],
) -> tuple[list[tuple[int, int]], list[list[np.ndarray]]]:
    """Common spans of two ordered lists, with the strain of both."""
    common_spans, common_strains = [], []
    i = j = 0
    while i < len(spans) and j < len(pieces):
        (first, end), piece = spans[i], pieces[j]
        low, high = max(first, piece.first), min(end, piece.end)
        if low < high:
            cut = [one[low - first : high - first] for one in strains[i]]
            own = piece.strain[low - piece.first : high - piece.first]
            common_spans.append((low, high))
            common_strains.append([*cut, own])
        if end < piece.end:
            i += 1
        else:
            j += 1
    return common_spans, common_strains
