"""One search from files to files."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from conventions.errors import UserError
from conventions.progress import Progress, silent

from infer.search import plots, rates, report, run, strain
from infer.search.analysis import Analysis, analyse
from infer.search.run import Run
from infer.search.stretches import gapless


def search(
    *,
    run_directory: Path,
    files: Sequence[Path],
    channel_names: Sequence[str],
    far: str,
    output: Path,
    device: str = "cpu",
    say: Callable[[str], object],
    progress: Progress = silent,
) -> Analysis:
    """Search files with a run, report, write tables and plots.

    Args:
        run_directory: of the run, as made by ``aframe-init``.
        files: of strain.
        channel_names: of frames, such as ``"H1:GDS-CALIB_STRAIN"``.
        far: largest false-alarm rate that is listed, such as ``"1/hour"``.
        output: directory for tables and plots.
        device: for torch.
        say: shows text to the user.
        progress: shows how far the analysis is.

    Returns:
        What was found.

    Raises:
        UserError: for anything wrong with the run, the files or a value.
    """
    check_device(device)
    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output} is not a directory")
    far_limit = rates.parse(far)
    channels = strain.channels_by_ifo(channel_names)
    used = run.load(run_directory)
    floor = used.background.min_far
    if far_limit < floor:
        raise UserError(
            f"--far {far} is below {rates.show(floor)}, the smallest rate "
            f"that the background of {run_directory} resolves "
            f"(Tb = {used.background.Tb / 3600:.3g} hours)"
        )
    config = used.manifest.preprocessing
    stretches = gapless(
        strain.read(files, config.ifos, channels),
        config.ifos,
        config.sample_rate,
        step=round(config.sample_rate / used.manifest.inference_sampling_rate),
    )
    analysis = analyse(stretches, used, device, progress)
    say(_preamble(analysis, used))
    found = report.assess(analysis, used)
    say(report.table(found, far_limit))
    written = report.write(found, output)
    written += plots.draw(analysis, found, used, output)
    say("\nwritten: " + ", ".join(map(str, written)))
    return analysis


def check_device(device: str) -> None:
    """See whether torch can compute on a device.

    Raises:
        UserError: if it cannot.
    """
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"--device {device!r} is of no use: {reason}"
        ) from None


def _preamble(analysis: Analysis, used: Run) -> str:
    manifest = used.manifest
    lines = [
        f"{', '.join(manifest.preprocessing.ifos)}: "
        f"{analysis.livetime:.2f} s analysed with {used.directory} "
        f"(background Tb = {used.background.Tb / 3600:.3g} hours)"
    ]
    analysed = {id(part.stretch): part for part in analysis.parts}
    for stretch in analysis.stretches:
        span = f"  GPS {stretch.start:.3f} to {stretch.stop:.3f}: "
        part = analysed.get(id(stretch))
        if part is None:
            lines.append(f"{span}too short, not analysed")
            continue
        text = f"{span}analysed from {part.times[0]:.3f} on"
        if part.plan.psd_length < manifest.psd_length:
            text += (
                f"; psd_length shortened from {manifest.psd_length:g} s to "
                f"{part.plan.psd_length:g} s to fit"
            )
        lines.append(text)
    return "\n".join(lines) + "\n"
