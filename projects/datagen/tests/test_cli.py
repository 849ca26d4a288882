import re
import runpy
import sys
import types
from pathlib import Path

import h5py
import pytest
from conventions.segments import read
from datagen import cli


def run(text: str, tmp_path: Path) -> None:
    cli.main(text.format(tmp=tmp_path).split())


def test_query_writes_segments(tmp_path: Path):
    run(
        "query --output {tmp}/segments.txt --source simulated --ifos [H1,L1]"
        " --start 1e9 --stop 1000000100 --max_duration 60",
        tmp_path,
    )
    assert read(tmp_path / "segments.txt") == [
        (1e9, 1e9 + 50),
        (1e9 + 50, 1e9 + 100),
    ]


def test_background_with_a_config_file(tmp_path: Path):
    (tmp_path / "psds.yaml").write_text(
        "psds: {H1: aLIGO_late_psd}\n"
        "glitches: {rate_per_hour: 100, frequency: [40, 100]}\n"
    )
    run(
        "background --config {tmp}/psds.yaml --output {tmp}/b.hdf5"
        " --source simulated --ifos [H1] --start 1e9 --duration 4"
        " --sample_rate 256",
        tmp_path,
    )
    with h5py.File(tmp_path / "b.hdf5") as file:
        assert len(file["H1"]) == 1024


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "query --output {tmp}/s.txt --source simulated --ifos [H9]"
            " --start 0 --stop 1",
            "error: ifos: unknown interferometer 'H9'",
        ),
        (
            "background --output {tmp}/b.hdf5 --source simulated --ifos [H1]"
            " --start 0 --duration 1 --sample_rate 256"
            " --glitches.rate_per_hour -1",
            "rate_per_hour = -1.0",
        ),
        ("query --sorce simulated", "unrecognized arguments: --sorce"),
        ("fetch", "invalid choice: 'fetch'"),
        ("", "subcommand"),
    ],
)
def test_mistakes_end_in_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture, text: str, message: str
):
    with pytest.raises(SystemExit) as stopped:
        run(text, tmp_path)
    assert stopped.value.code == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_progress_is_shown_where_a_function_can(
    monkeypatch: pytest.MonkeyPatch,
):
    seen = {}

    def training_waveforms(
        output: Path, *, num_signals: int, progress: object = None
    ) -> None:
        """Take the place of the real one."""
        seen.update(output=output, num=num_signals, progress=progress)

    module = types.ModuleType("datagen.waveforms")
    module.training_waveforms = training_waveforms
    monkeypatch.setitem(sys.modules, "datagen.waveforms", module)
    cli.main(["training-waveforms", "--output", "a", "--num_signals", "3"])
    assert seen == {"output": Path("a"), "num": 3, "progress": cli.plain}


def test_runs_as_a_module(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr(sys, "argv", ["datagen", "query", "--help"])
    with pytest.raises(SystemExit):
        runpy.run_module("datagen", run_name="__main__")
    assert "--max_duration" in capsys.readouterr().out


def test_help_lists_every_command(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    for name in (
        "query",
        "background",
        "training-waveforms",
        "validation-waveforms",
        "testing-waveforms",
        "merge",
    ):
        assert name in shown


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (
            "query",
            "output source ifos start stop flag min_duration max_duration"
            " host",
        ),
        (
            "background",
            "output source ifos start duration sample_rate psds seed"
            " glitches host",
        ),
    ],
)
def test_options_change_on_purpose(
    capsys: pytest.CaptureFixture, command: str, options: str
):
    parser, _ = cli.build_parser(command)
    with pytest.raises(SystemExit):
        parser.parse_args([command, "--help"])
    shown = capsys.readouterr().out.split("complete or not at all:")[-1]
    found = re.findall(r"^  --([a-z_]+) ", shown, flags=re.MULTILINE)
    ignored = {"config", "print_config"}
    assert [name for name in found if name not in ignored] == options.split()
