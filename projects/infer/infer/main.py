"""Inference on one segment and shift, and the merging of all of them."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from conventions.errors import UserError
from conventions.progress import Progress, silent
from ledger.events import EventSet, RecoveredInjectionSet
from ledger.injections import (
    InjectionMetadata,
    InterferometerResponseSet,
    waveform_class_factory,
)
from numpy.typing import NDArray
from preprocessing.manifest import Manifest

from infer.client import StreamClient
from infer.data import SegmentReader
from infer.layout import StreamLayout
from infer.postprocess import Postprocessor
from infer.settings import SearchSettings


@dataclass(frozen=True, kw_only=True)
class SlideFiles:
    """One shift of a segment, and where what is found in it goes.

    Attributes:
        shifts: delay of each channel, in seconds.
        background: file of the background's events.
        livetime: file of the stretches that were analysed.
        injections: the injection file; None for none.
        foreground: file of the recovered injections; needed with
            injections.
        timeseries: file of the network's outputs; None to keep none.

    Raises:
        UserError: on construction, if only one of injections and foreground
            is given.
    """

    shifts: Sequence[float]
    background: Path
    livetime: Path
    injections: Path | None = None
    foreground: Path | None = None
    timeseries: Path | None = None

    def __post_init__(self) -> None:
        if (self.injections is None) != (self.foreground is None):
            raise UserError(
                "injections and foreground must both be given, or neither"
            )


def read_injections(
    path: Path,
    manifest: Manifest,
    start: float,
    stop: float,
    shifts: Sequence[float],
) -> InterferometerResponseSet:
    """Read the signals of one segment and shift, with their waveforms.

    Args:
        path: the injection file.
        manifest: of the model repository.
        start: GPS second where the segment starts.
        stop: GPS second where its simultaneous data stop.
        shifts: delay of each channel, in seconds.

    Returns:
        The signals; ``num_injections`` counts them alone, since rejected
        draws belong to no segment.

    Raises:
        UserError: if the file is missing or foreign, or holds signals of
            other ifos or another sample rate than the network's.
    """
    settings = manifest.preprocessing
    kind = waveform_class_factory(
        list(settings.ifos), InterferometerResponseSet, "Responses"
    )
    signals = kind.read(path, start, stop, np.asarray(shifts, dtype=float))
    # Where segments touch, a signal belongs to that of its coalescence.
    signals = signals.get_times(start, stop)
    if not len(signals):
        return dataclasses.replace(signals, num_injections=0)
    if signals.sample_rate != settings.sample_rate:
        raise UserError(
            f"sample_rate: {settings.sample_rate:g} Hz expected, the "
            f"injections in {path} have {signals.sample_rate} Hz"
        )
    if list(signals.ifos) not in ([], list(settings.ifos)):
        raise UserError(
            f"ifos: {list(settings.ifos)} expected, the injections in {path} "
            f"are for {list(signals.ifos)}"
        )
    return dataclasses.replace(signals, num_injections=len(signals))


def stream_outputs(
    reader: SegmentReader,
    manifest: Manifest,
    address: str,
    injections: InterferometerResponseSet | None,
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Send one segment and shift to a server as one sequence.

    Args:
        reader: the strain.
        manifest: of the model repository that the server serves.
        address: host and port of the server's gRPC.
        injections: signals for the second stream, if any.
        progress: shows the requests answered.

    Returns:
        Network outputs after the burn-in, of shape ``(S, n_outputs)``.

    Raises:
        UserError: if the segment has no output after the burn-in, no server
            answers, or its manifest differs.
        InferenceError: if the server fails or falls silent.
    """
    layout = StreamLayout.from_manifest(manifest, reader.num_samples)
    kept = []
    with StreamClient(address) as client:
        client.check(manifest)
        answers = client.run(reader.updates(layout, injections))
        shown = progress(
            answers, layout.num_requests, f"inferring {reader.start:.0f}"
        )
        for request, answer in enumerate(shown):
            kept.append(answer[:, layout.outputs_of(request)])
    return np.concatenate(kept, axis=1)


def infer_segment(
    *,
    background: Path,
    injections: Path | None,
    start: float,
    stop: float,
    shifts: Sequence[float],
    address: str,
    manifest: Manifest,
    integration_window_length: float,
    cluster_window_length: float,
    recovery_window: float,
    background_output: Path,
    foreground_output: Path | None = None,
    progress: Progress = silent,
) -> None:
    """Search one segment and shift for events and for its injections.

    Where the shift has injections, one stream carries the background and
    the background plus injections; otherwise the background travels alone.
    Zero lag is the same with shifts of zero and no injections.

    Args:
        background: the background file.
        injections: the injection file; None for none.
        start: GPS second where the segment starts.
        stop: GPS second where it stops.
        shifts: delay of each channel, in seconds.
        address: host and port of the server's gRPC.
        manifest: of the model repository that the server serves.
        integration_window_length: of the boxcar, in seconds.
        cluster_window_length: an event is the maximum within half of it on
            each side, in seconds.
        recovery_window: an injection is found by an event at most this far
            from it, in seconds.
        background_output: where the background's events go.
        foreground_output: where the recovered injections go; needed with
            injections.
        progress: shows the requests answered.

    Raises:
        UserError: for anything wrong with the files or settings.
        InferenceError: if the server fails or falls silent.
    """
    if (injections is None) != (foreground_output is None):
        raise UserError(
            "injections and foreground_output must both be given, or neither"
        )
    settings = manifest.preprocessing
    postprocessor = Postprocessor(
        psd_length=manifest.psd_length,
        inference_sampling_rate=manifest.inference_sampling_rate,
        fduration=settings.fduration,
        integration_window_length=integration_window_length,
        cluster_window_length=cluster_window_length,
    )
    with SegmentReader(
        background, settings.ifos, settings.sample_rate, shifts, start, stop
    ) as reader:
        signals = None
        if injections is not None:
            end = reader.start + reader.num_samples / settings.sample_rate
            signals = read_injections(
                injections, manifest, reader.start, end, shifts
            )
        outputs = stream_outputs(reader, manifest, address, signals, progress)
        begin = reader.start
    events = postprocessor.events(outputs[0], begin, shifts)
    if signals is not None and foreground_output is not None:
        # Without signals, the one stream stands for both.
        found = postprocessor.events(outputs[-1], begin, shifts)
        RecoveredInjectionSet.recover(found, signals, recovery_window).write(
            foreground_output
        )
    events.write(background_output)


def merge(
    background_files: Iterable[Path],
    foreground_files: Iterable[Path],
    zero_lag_files: Iterable[Path],
    output_dir: Path,
    settings: SearchSettings,
    injections: Path | None = None,
) -> None:
    """Join the tables of all segments and shifts.

    Writes ``background.hdf5``, ``foreground.hdf5`` and ``0lag.hdf5``, each
    sorted by the detection statistic, and, last, ``settings.json``.

    Args:
        background_files: events of the time-slides.
        foreground_files: recovered injections.
        zero_lag_files: events of the unshifted data.
        output_dir: where the tables go.
        settings: what the events were found with.
        injections: the injection file, whose count of draws, kept and
            rejected, the merged foreground takes over.

    Raises:
        UserError: if a file is missing, truncated or foreign.
    """
    output_dir = Path(output_dir)
    tables = {
        "background": _joined(EventSet, background_files),
        "foreground": _joined(RecoveredInjectionSet, foreground_files),
        "0lag": _joined(EventSet, zero_lag_files),
    }
    if injections is not None:
        drawn = InjectionMetadata.read(injections).num_injections
        tables["foreground"] = dataclasses.replace(
            tables["foreground"], num_injections=drawn
        )
    for name, table in tables.items():
        table.write(output_dir / f"{name}.hdf5")
    settings.write(output_dir / "settings.json")


def _joined(kind: type[EventSet], files: Iterable[Path]) -> EventSet:
    tables = [kind.read(file) for file in files]
    return kind.concatenate(tables).sort_by("detection_statistic")
