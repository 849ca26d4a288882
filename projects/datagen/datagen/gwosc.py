"""Open data of the Gravitational Wave Open Science Center (GWOSC)."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from conventions.errors import UserError
from conventions.segments import Segment, show
from scipy import signal

from datagen import gaps
from datagen.segments import intersect

SAMPLE_RATES = (4096, 16384)
"""Sample rates (Hz) at which strain is published."""

_ATTENUATION = 100.0
"""Suppression (dB) of what would alias when data are resampled."""

_TRANSITION = 0.1
"""Part of the new Nyquist band over which the anti-alias filter falls."""


class DownloadError(UserError):
    """Open data could not be had; names the ifo and the span."""


def common_segments(
    ifos: Sequence[str],
    start: float,
    stop: float,
    *,
    flag: str,
    host: str | None = None,
) -> list[Segment]:
    """Ask when a data-quality flag is active in all interferometers.

    Args:
        ifos: interferometers.
        start: GPS start of the span, s.
        stop: GPS end of the span, s.
        flag: name of the flag without the ifo, such as ``DATA``.
        host: address of the server; None is its public address.

    Returns:
        Sorted, disjoint segments within the span, GPS s; may be none.

    Raises:
        DownloadError: if the server does not answer for an interferometer.
    """
    from gwosc.timeline import get_segments

    common = [(float(start), float(stop))]
    for ifo in ifos:
        try:
            active = get_segments(
                f"{ifo}_{flag}",
                math.floor(start),
                math.ceil(stop),
                host=_address(host),
            )
        except Exception as error:
            raise DownloadError(
                f"segments of {ifo}_{flag} in {show((start, stop))} "
                f"could not be had from {_address(host)}: {_reason(error)}"
            ) from error
        common = intersect(common, _joined(active))
    return common


def _joined(segments: Iterable[tuple[int, int]]) -> list[Segment]:
    joined: list[Segment] = []
    for start, stop in sorted(segments):
        if joined and start <= joined[-1][1]:
            last = joined.pop()
            start, stop = last[0], max(stop, last[1])
        joined.append((float(start), float(stop)))
    return joined


def strain(
    ifo: str,
    *,
    start: float,
    duration: float,
    sample_rate: float,
    host: str | None = None,
) -> np.ndarray:
    """Fetch the strain of one interferometer.

    The lowest published rate that is not below ``sample_rate`` is fetched
    and resampled, see :func:`resample`.

    Args:
        ifo: the interferometer.
        start: GPS start, s.
        duration: length, s.
        sample_rate: Hz, at most 16384.
        host: address of the server; None is its public address.

    Returns:
        Strain, float64, shape ``(duration * sample_rate,)``.

    Raises:
        UserError: if the sample rate is above the published ones, or
            samples of the span are missing.
        DownloadError: if the span could not be fetched completely.
    """
    from gwpy.timeseries import TimeSeries

    published = [rate for rate in SAMPLE_RATES if rate >= sample_rate]
    if not published:
        raise UserError(
            f"sample_rate: {sample_rate:g} Hz is above the highest rate of "
            f"open data, {SAMPLE_RATES[-1]} Hz"
        )
    rate = published[0]
    stop = start + duration
    what = f"{ifo} open data of {show((start, stop))}"
    try:
        series = TimeSeries.fetch_open_data(
            ifo, start, stop, sample_rate=rate, host=_address(host)
        )
    except Exception as error:
        raise DownloadError(
            f"{what} could not be had from {_address(host)}: {_reason(error)}"
        ) from error
    data = np.asarray(series.value, dtype=np.float64)
    found_rate = float(series.sample_rate.value)
    expected = (rate, start, round(duration * rate))
    if (found_rate, float(series.t0.value), len(data)) != expected:
        raise DownloadError(
            f"{what}: the server has only {show(tuple(series.span))} "
            f"at {found_rate:g} Hz"
        )
    missing = gaps.find(data, start, rate)
    if missing:
        raise gaps.error(ifo, missing, _address(host))
    return resample(data, rate, sample_rate)


def resample(
    data: np.ndarray, sample_rate: float, target: float
) -> np.ndarray:
    """Lower the sample rate of data behind an anti-alias filter.

    The filter is a zero-phase Kaiser window design with 100 dB of
    suppression from the new Nyquist frequency on, flat up to 0.9 of it. The
    data are continued at both ends by point reflection, which keeps the
    first and last ~30 ms free of steps.

    Args:
        data: strain, shape ``(time,)``.
        sample_rate: of the data, Hz.
        target: new sample rate, Hz, not above ``sample_rate``.

    Returns:
        Strain at the new rate, whose first sample has the same time.

    Raises:
        UserError: if the new rate is higher, or not a simple fraction of
            the old one.
    """
    if target == sample_rate:
        return data
    ratio = Fraction(target) / Fraction(sample_rate)
    if not 0 < ratio < 1 or ratio.denominator > 4096:
        raise UserError(
            f"sample_rate: data at {sample_rate:g} Hz cannot be brought to "
            f"{target:g} Hz, a simple fraction of their rate is accepted"
        )
    up, down = ratio.numerator, ratio.denominator
    taps, beta = signal.kaiserord(_ATTENUATION, _TRANSITION / down)
    taps |= 1
    edge = (1 - _TRANSITION / 2) / down
    taper = signal.firwin(taps, edge, window=("kaiser", beta))
    pad = down * math.ceil((taps // 2) / (up * down))
    if pad >= len(data):
        raise UserError(
            f"{len(data)} samples at {sample_rate:g} Hz are too few to be "
            f"resampled to {target:g} Hz, more than {pad} are needed"
        )
    padded = np.pad(data, pad, mode="reflect", reflect_type="odd")
    skip = pad * up // down
    size = math.ceil(len(data) * up / down)
    return signal.resample_poly(padded, up, down, window=taper)[
        skip : skip + size
    ]


def _address(host: str | None) -> str:
    from gwosc.api import DEFAULT_URL

    return (host or DEFAULT_URL).rstrip("/")


def _reason(error: Exception) -> str:
    if isinstance(error, ExceptionGroup):
        return "; ".join(_reason(part) for part in error.exceptions)
    return str(error) or repr(error)
