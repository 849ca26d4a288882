import csv
import json

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from infer.search import cli, run
from ledger.events import SECONDS_IN_YEAR, EventSet
from matplotlib.image import imread
from preprocessing.manifest import sha256

START = 1_000_000_000
GW150914 = 1126259462.4


@pytest.fixture
def search(make_run, tmp_path, capsys):
    """Runs aframe-search, returns exit code, text, messages, directory."""

    def search(files, *options, directory=None):
        directory = directory or make_run()
        output = tmp_path / "found"
        arguments = ["--run", directory, "--output", output, *options]
        try:
            cli.main([*map(str, arguments), *map(str, files)])
            code = 0
        except SystemExit as stop:
            code = stop.code
        text, errors = capsys.readouterr()
        assert "Traceback" not in errors
        return code, text, errors, output

    return search


@pytest.fixture
def write_noise(tmp_path):
    """Writes white noise as a GWOSC file."""

    def write(ifo, seconds=32, start=START, rate=1024, edit=None):
        seed = [ord(letter) for letter in ifo]
        strain = np.random.default_rng(seed).normal(size=seconds * rate)
        strain *= 1e-21 * (rate / 1024) ** 0.5
        if edit is not None:
            edit(strain, rate, start)
        path = tmp_path / f"{ifo}-{start}.hdf5"
        with h5py.File(path, "w") as file:
            dataset = file.create_dataset("strain/Strain", data=strain)
            dataset.attrs["Xstart"] = start
            dataset.attrs["Xspacing"] = 1 / rate
            file["meta/Detector"] = ifo
        return path

    return write


def test_gw150914_is_found_in_real_data(search, event_files):
    code, text, errors, output = search(event_files("1126259446"))
    assert code == 0, errors
    with (output / "events.csv").open() as file:
        rows = list(csv.DictReader(file))
    loudest, *others = rows
    assert abs(float(loudest["gps_time"]) - GW150914) <= 0.25
    assert loudest["utc"].startswith("2015-09-14 09:50:45")
    assert float(loudest["far_per_year"]) == pytest.approx(
        SECONDS_IN_YEAR / (8 * 3600), rel=1e-5
    )
    assert loudest["far_is_upper_limit"] == "true"
    for row in others:
        assert float(row["detection_statistic"]) < 0.6
        assert row["far_is_upper_limit"] == "false"
    assert "psd_length shortened from 64 s to 8.25 s" in text
    assert "<= 0.125/hour" in text
    assert "1 of " in text.splitlines()[-3]
    events = EventSet.read(output / "events.hdf5")
    assert len(events) == len(rows)
    assert events.detection_statistic.argmax() == 0
    assert 20 < events.Tb < 22
    for name in ("detection_statistic.png", "loudest_event.png"):
        assert imread(output / name).std() > 0.05


def test_gw151226_is_reported_honestly(search, event_files):
    code, text, _, output = search(event_files("1135136334"))
    assert code == 0
    assert "Nothing significant: none of " in text
    assert text.count("*") == 2
    assert len(EventSet.read(output / "events.hdf5")) > 0


def test_signal_in_noise_is_timed(search, write_noise):
    """A sine-Gaussian of 120 Hz, in files of different rate and start."""
    coalescence = START + 12.1

    def signal(strain, rate, start):
        time = start + np.arange(len(strain)) / rate - coalescence
        envelope = np.exp(-((time / 0.02) ** 2))
        scale = 8e-21 * np.sqrt(rate / 1024)
        strain += scale * envelope * np.sin(2 * np.pi * 120 * time)

    files = [
        write_noise("H1", 18, edit=signal),
        write_noise("L1", 19, START - 1, rate=2048, edit=signal),
    ]
    code, text, _, output = search(files)
    assert code == 0
    assert "<= 0.125/hour" in text
    events = EventSet.read(output / "events.hdf5")
    assert abs(events.detection_time[0] - coalescence) <= 0.25
    assert events.shift.shape == (len(events), 2)
    assert not events.shift.any()


def test_a_gap_resets_the_search(search, write_noise, make_run):
    def loud_then_gap(strain, rate, start):
        strain[: 10 * rate] *= 100
        strain[10 * rate : 11 * rate] = np.nan

    def only_after(strain, rate, start):
        strain[: 11 * rate] = 0

    directory = make_run()
    found = []
    for edit in loud_then_gap, only_after:
        files = [write_noise(ifo, 24, edit=edit) for ifo in ("H1", "L1")]
        code, _, _, output = search(files, directory=directory)
        assert code == 0
        events = EventSet.read(output / "events.hdf5")
        after = events[events.detection_time > START + 10]
        # PSD of 5 s, filter and kernel are over: right edge at 7.5 - 0.5 s
        # at least, integration back from there.
        assert (after.detection_time >= START + 11 + 7 - 1).all()
        found.append(after)
    assert len(found[0]) > 0
    for name in "detection_time", "detection_statistic":
        np.testing.assert_array_equal(
            getattr(found[0], name), getattr(found[1], name)
        )


def test_too_short_between_gaps(search, write_noise):
    def gaps(strain, rate, start):
        strain[:: 4 * rate] = np.nan

    code, text, errors, output = search(
        [write_noise("H1", edit=gaps), write_noise("L1")]
    )
    assert (code, text) == (2, "")
    assert "longest strain without a gap is 3.75 s" in errors
    assert "at least 8.25 s" in errors
    assert not output.exists()


def test_same_weights_are_demanded(search, write_noise, make_run):
    directory = make_run()
    path = directory / "results" / "model_repository" / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"weights_sha256": "0" * 64}))
    code, _, errors, _ = search([write_noise("H1")], directory=directory)
    assert code == 2
    assert f"000000000000... {path}" in errors


def test_p_astro_of_the_run_is_told(
    search, write_noise, make_run, make_p_astro
):
    directory = make_run()
    path = directory / run.P_ASTRO
    made = sha256(directory / "results/infer/background.hdf5")
    model = make_p_astro(background_sha256=made)
    model.write(path)
    files = [write_noise(ifo) for ifo in ("H1", "L1")]
    code, text, errors, output = search(files, directory=directory)
    assert code == 0, errors
    assert "with 28 mergers per Gpc^3 and year" in text
    with (output / "events.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["p_astro"]) for row in rows] == pytest.approx(
        [model(float(row["detection_statistic"])) for row in rows], rel=1e-4
    )
    path.unlink()
    code, text, _, _ = search(files, directory=directory)
    assert code == 0
    assert f"the run has no {run.P_ASTRO}" in text


@pytest.mark.parametrize("origin", [{}, {"background_sha256": "0" * 64}])
def test_p_astro_of_another_background_is_refused(
    make_run, make_p_astro, origin
):
    directory = make_run()
    make_p_astro(**origin).write(directory / run.P_ASTRO)
    with pytest.raises(UserError, match="made of another background") as e:
        run.load(directory)
    assert str(directory / run.P_ASTRO) in str(e.value)
    assert "aframe.SensitiveVolume again" in str(e.value)


def test_settings_that_differ_are_named(search, write_noise, make_run):
    directory = make_run()
    path = directory / "results" / "model_repository" / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"highpass": 40.0}))
    code, _, errors, _ = search([write_noise("H1")], directory=directory)
    assert code == 2
    assert "highpass: 40.0 in" in errors
    assert "32.0 in" in errors


@pytest.mark.parametrize(("name", "task"), run.PIECES.items())
def test_missing_piece_names_what_makes_it(
    search, write_noise, make_run, name, task
):
    directory = make_run()
    (directory / name).unlink()
    code, _, errors, _ = search([write_noise("H1")], directory=directory)
    assert code == 2
    assert str(directory / name) in errors
    assert task in errors


def test_no_run_directory(search, write_noise, tmp_path):
    code, _, errors, _ = search(
        [write_noise("H1")], directory=tmp_path / "nowhere"
    )
    assert code == 2
    assert "aframe-init offline" in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--far", "1/century"], "'1/century' is not a rate"),
        (["--far", "0.1/yr"], "below 0.125/hour, the smallest rate"),
        (["--device", "tape"], "--device 'tape'"),
        (["--channel", "STRAIN"], "must look like H1:NAME"),
    ],
)
def test_bad_options(search, write_noise, options, message):
    files = [write_noise("H1"), write_noise("L1")]
    code, _, errors, _ = search(files, *options)
    assert code == 2
    assert errors.startswith("error: ")
    assert message in errors


def test_an_output_that_is_a_file(search, write_noise, tmp_path):
    (tmp_path / "taken").write_text("")
    files = [write_noise("H1"), write_noise("L1")]
    code, _, errors, _ = search(files, "--output", str(tmp_path / "taken"))
    assert code == 2
    assert "taken is not a directory" in errors


def test_missing_interferometer(search, write_noise):
    code, _, errors, _ = search([write_noise("H1")])
    assert code == 2
    assert "no file holds L1" in errors


def test_background_without_livetime(search, write_noise, make_run):
    directory = make_run(Tb=0.0)
    code, _, errors, _ = search([write_noise("H1")], directory=directory)
    assert code == 2
    assert "livetime Tb of 0.0 s" in errors


def test_run_with_a_short_psd_is_not_changed(search, write_noise, make_run):
    directory = make_run(psd_length=5.0)
    files = [write_noise("H1", 22), write_noise("L1", 22)]
    code, text, _, _ = search(files, directory=directory)
    assert code == 0
    assert "shortened" not in text
    # right edge of the first kernel at 7.5 - 0.5 s, three more to integrate
    assert "analysed from 1000000006.750 on" in text


def test_command_line_is_as_documented():
    options = {
        option
        for action in cli.parser()._actions
        for option in action.option_strings
    }
    assert options == {
        "-h",
        "--help",
        "--run",
        "--channel",
        "--far",
        "--output",
        "--device",
    }
