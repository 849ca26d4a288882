"""Reading, whitening and the network, each ahead of the next."""

from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from preprocessing.batch import BatchWhitener
from torch import Tensor

from infer.engine import Slide
from infer.layout import StreamLayout
from infer.lockstep import Lockstep, Part, Step
from infer.network import Network

# Channels that are whitened at once.
ROWS = 16
Place = tuple[Hashable, int]


def evaluate(
    whitener: BatchWhitener,
    network: Network,
    slides: Sequence[Slide],
    layouts: Sequence[StreamLayout],
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Evaluate a network all along slides, in lockstep.

    Args:
        whitener: makes kernels of strain, on the network's device.
        network: the network.
        slides: the strain, at least one.
        layouts: how each slide is cut into requests.

    Yields:
        Position of a slide and its next outputs of shape ``(S, n)``.
    """
    lockstep = Lockstep(slides, layouts, whitener.stretch_start)
    requests = lockstep.requests
    ahead = ThreadPoolExecutor(
        1, initializer=torch.set_num_threads, initargs=(1,)
    )
    workers = network.workers()
    # A stream of its own, so that neither waits for the network; one for all
    # requests, since torch keeps memory for each stream apart.
    on_gpu = network.device.type != "cpu"
    stream = torch.cuda.Stream(network.device) if on_gpu else None

    def prepare(request: int) -> _Ready:
        step = lockstep.read(request)
        return _prepare(whitener, network.device, stream, step)

    try:
        coming = ahead.submit(prepare, requests[0])
        running = None
        for request in requests:
            ready = coming.result()
            if request + 1 in requests:
                coming = ahead.submit(prepare, request + 1)
            answers = network.launch(workers, ready.kernels, ready.index)
            # Collected only now, so that the workers have more to do.
            if running is not None:
                yield from _collect(*running)
            running = ready.parts, answers
        yield from _collect(*running)
    finally:
        ahead.shutdown(cancel_futures=True)
        workers.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Ready:
    """A step, whitened.

    Attributes:
        kernels: of all channels, of shape ``(row, kernel, kernel_size)``.
        index: those to be evaluated: for each part its outputs of the
            background, then those that signals touch; see
            :meth:`Network.launch`.
        parts: the slides.
    """

    kernels: Tensor
    index: Tensor
    parts: Sequence[Part]


@torch.inference_mode()
def _prepare(
    whitener: BatchWhitener,
    device: torch.device,
    stream: torch.cuda.Stream | None,
    step: Step,
) -> _Ready:
    # Without a GPU this does nothing. Its memory is not taken for another
    # request too early: the network's worker holds it until its answers are
    # on the host.
    with torch.cuda.stream(stream):
        whitened = _whiten(whitener, device, step)
    if stream is not None:
        stream.synchronize()
    kernels = whitened[:, whitener.early :].unfold(
        -1, whitener.kernel_size, whitener.stride
    )
    index = []
    for part in step.parts:
        index.append(_index(part.background, np.arange(part.count)))
        if part.injected is not None:
            rows = part.injected + len(step.strain)
            index.append(_index(rows, part.touched))
    return _Ready(kernels, torch.from_numpy(np.concatenate(index)), step.parts)


def _index(
    rows: NDArray[np.int64], kernels: NDArray[np.int64]
) -> NDArray[np.int64]:
    repeated = np.broadcast_to(rows, (len(kernels), len(rows)))
    return np.concatenate([repeated, kernels[:, None]], axis=1)


def _whiten(
    whitener: BatchWhitener, device: torch.device, step: Step
) -> Tensor:
    """Whiten all channels: background first, then those with signals."""
    strain, signals = (_move(x, device) for x in (step.strain, step.signals))
    size = signals.size(-1)
    psds = _psds(whitener, strain[:, : whitener.psd_size], step.places)
    whitened, filters = [], []
    for rows, psd in zip(strain.split(ROWS), psds.split(ROWS), strict=True):
        filters.append(whitener.whitener.make_filter(psd[:, None], size))
        stretch = rows[:, None, whitener.stretch_start :]
        whitened.append(
            whitener.whitener.apply_filter(stretch, filters[-1])[:, 0]
        )
    if len(signals):
        shared = torch.cat(filters)
        owners = torch.from_numpy(step.owners).to(device)
        for rows, owner in zip(
            signals.split(ROWS), owners.split(ROWS), strict=True
        ):
            whitened.append(
                whitener.whitener.apply_filter(rows[:, None], shared[owner])[
                    :, 0
                ]
            )
    return torch.cat(whitened)


def _psds(
    whitener: BatchWhitener, strain: Tensor, places: Sequence[Place]
) -> Tensor:
    """PSD of each row, of the periodograms of the stretches it consists of.

    Rows with different delays have stretches in common: each is transformed
    once.
    """
    estimate = whitener.estimate
    stretches = strain.unfold(-1, estimate.segment_size, estimate.step)
    count = stretches.size(1)
    known = {source: i for i, source in enumerate(dict(places))}
    sources = np.array([known[source] for source, _ in places])
    begins = np.array([begin for _, begin in places])
    offsets = np.arange(count) * estimate.step
    at = begins[:, None] + offsets
    # Samples are counted from a segment's start: far fewer than that.
    codes = (sources[:, None] << 48) + at
    _, chosen, which = np.unique(codes, return_index=True, return_inverse=True)
    rows, columns = (
        torch.from_numpy(x).to(strain.device) for x in np.divmod(chosen, count)
    )
    several = ROWS * count
    power = torch.cat(
        [
            estimate.periodograms(stretches[row, column].double())
            for row, column in zip(
                rows.split(several), columns.split(several), strict=True
            )
        ]
    )
    members = torch.from_numpy(which.reshape(at.shape)).to(strain.device)
    return torch.cat(
        [estimate.average(power[some]) for some in members.split(ROWS)]
    )


def _move(data: NDArray[np.float32], device: torch.device) -> Tensor:
    tensor = torch.from_numpy(data)
    if device.type == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def _collect(
    parts: Sequence[Part], answers: "Sequence[Future[NDArray[np.float32]]]"
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Wait for answers and give each slide its outputs."""
    values = np.concatenate([answer.result() for answer in answers])
    first = 0
    for part in parts:
        clean = values[first : first + part.count]
        first += part.count
        outputs = np.stack([clean] * part.streams)
        if len(part.touched):
            outputs[1, part.touched] = values[
                first : first + len(part.touched)
            ]
            first += len(part.touched)
        yield part.slide, outputs
