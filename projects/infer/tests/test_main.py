import sys

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from infer import cli, main
from infer.direct import DirectEngine
from infer.main import SlideFiles, infer_segment, merge
from infer.settings import SearchSettings
from infer.timeseries import SeriesIndex
from infer.triton_engine import TritonEngine
from ledger.events import EventSet, RecoveredInjectionSet
from ledger.livetime import LivetimeSet
from preprocessing.manifest import Manifest

WINDOWS = {
    "integration_window_length": 0.5,
    "cluster_window_length": 4.0,
    "recovery_window": 1.0,
}
# Not a whole number of outputs or requests.
SECONDS = 9548 / 256
SHIFTS = [0.0, 2.5]
SIGNALS = [12.3, 16.1, 20.0, 20.2, 25.0]


@pytest.fixture
def strain(tiny):
    return tiny.noise(SECONDS)


@pytest.fixture
def background(tiny, strain, tmp_path):
    return tiny.write_background(tmp_path / "background.hdf5", strain)


@pytest.fixture
def signals(tiny, tmp_path):
    path = tmp_path / "injections.hdf5"
    tiny.signals([tiny.start + x for x in SIGNALS], SHIFTS).write(path)
    return path


@pytest.fixture
def engine(run_dir, manifest):
    return DirectEngine(run_dir, manifest)


@pytest.fixture
def search(tiny, engine, background):
    """Searches the whole segment."""

    def search(*slides, engine=engine, **changes):
        arguments = {
            "background": background,
            "start": tiny.start,
            "stop": tiny.start + SECONDS,
            **WINDOWS,
        }
        infer_segment(engine, slides=slides, **arguments | changes)

    return search


def slide(folder, shifts, injections=None, timeseries=False):
    return SlideFiles(
        shifts=shifts,
        background=folder / "background.hdf5",
        livetime=folder / "livetime.hdf5",
        injections=injections,
        foreground=folder / "foreground.hdf5" if injections else None,
        timeseries=folder / "timeseries.hdf5" if timeseries else None,
    )


def settings_of(manifest):
    return SearchSettings(
        psd_length=manifest.psd_length,
        inference_sampling_rate=manifest.inference_sampling_rate,
        batch_size=manifest.batch_size,
        weights_sha256=manifest.weights_sha256,
        engine="direct, fp32",
        **WINDOWS,
    )


def read(kind, path):
    """Columns of a table."""
    table = kind.read(path)
    return {name: getattr(table, name) for name in table.columns()}


def test_segments_and_merge(tiny, search, manifest, signals, tmp_path):
    slides = [
        slide(tmp_path / "a", SHIFTS, signals, timeseries=True),
        slide(tmp_path / "b", [0.0, 5.0], signals, timeseries=True),
        slide(tmp_path / "0", [0.0, 0.0], timeseries=True),
    ]
    search(*slides)
    merge(
        backgrounds=[one.background for one in slides[:2]],
        foregrounds=[one.foreground for one in slides[:2]],
        zero_lags=[slides[2].background],
        livetimes=[one.livetime for one in slides],
        timeseries=[one.timeseries for one in slides],
        output_dir=tmp_path / "infer",
        settings=settings_of(manifest),
        injections=signals,
    )
    events = EventSet.read(tmp_path / "infer" / "background.hdf5")
    assert events.Tb == (139 - 32) / 4 + (129 - 32) / 4
    assert events.is_sorted_by("detection_statistic")
    assert {tuple(row) for row in events.shift} == {(0, 2.5), (0, 5)}
    assert np.all(events.detection_time > tiny.start + 8.0 - 0.75)
    parts = [EventSet.read(one.background) for one in slides[:2]]
    joined = EventSet.concatenate(parts).sort_by("detection_statistic")
    for name in events.columns():
        np.testing.assert_array_equal(
            getattr(events, name), getattr(joined, name)
        )
    recovered = RecoveredInjectionSet.read(
        tmp_path / "infer" / "foreground.hdf5"
    )
    # The signals belong to the first shift alone.
    assert len(recovered) == 5
    assert recovered.num_injections == 3 * 5
    assert recovered.Tb == events.Tb
    assert recovered.is_sorted_by("detection_statistic")
    loud = recovered.detection_time[recovered.found]
    near = np.abs(loud - recovered.injection_time[recovered.found])
    assert len(near) >= 3
    assert np.all(near <= 1.0)
    unshifted = EventSet.read(tmp_path / "infer" / "0lag.hdf5")
    assert unshifted.Tb == (149 - 32) / 4
    livetime = LivetimeSet.read(tmp_path / "infer" / "livetime.hdf5")
    assert livetime.Tb == events.Tb + unshifted.Tb
    assert livetime.shift.tolist() == [SHIFTS, [0.0, 5.0], [0.0, 0.0]]
    index = SeriesIndex.read(tmp_path / "infer" / "timeseries.hdf5")
    row = index.find(tiny.start + 20.0, SHIFTS)
    # The first right edge after the burn-in.
    assert index.t0[row] == tiny.start + 8 + 0.25 - 0.25
    with h5py.File(index.files[row]) as file:
        assert file["background"].shape == file["foreground"].shape == (107,)
        assert (file["background"][:] != file["foreground"][:]).any()
    assert SearchSettings.read(
        tmp_path / "infer" / "settings.json"
    ) == settings_of(manifest)


@pytest.fixture
def merged(search, manifest, tmp_path):
    """Searches two slides, and joins them."""

    def merged(settings):
        slides = [slide(tmp_path / name, SHIFTS) for name in "ab"]
        for one in slides:
            if not one.background.exists():
                search(one)
        merge(
            backgrounds=[one.background for one in slides],
            foregrounds=[],
            zero_lags=[],
            livetimes=[one.livetime for one in slides],
            output_dir=tmp_path / "infer",
            settings=settings,
        )

    return merged


def test_slides_of_other_settings(search, run_dir, manifest, merged, tmp_path):
    """As when a search is resumed with another precision or window."""
    half = DirectEngine(run_dir, manifest, precision="bf16")
    search(
        slide(tmp_path / "b", SHIFTS), engine=half, cluster_window_length=3.0
    )
    with pytest.raises(UserError) as caught:
        merged(settings_of(manifest))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'b'} was searched with other")
    assert "cluster_window_length: 3.0 in this slide, 4.0 asked" in message
    assert "engine: direct, bf16 in this slide, direct, fp32" in message
    assert "recovery_window" not in message
    assert not (tmp_path / "infer").exists()


def test_slides_that_say_nothing(manifest, merged, tmp_path):
    merged(settings_of(manifest))
    with h5py.File(tmp_path / "a" / "livetime.hdf5", "a") as file:
        del file.attrs["settings"]
    with pytest.raises(UserError, match="does not say what the slide was"):
        merged(settings_of(manifest))


def test_merge_of_nothing(manifest, tmp_path):
    merge(
        backgrounds=[],
        foregrounds=[],
        zero_lags=[],
        livetimes=[],
        output_dir=tmp_path,
        settings=settings_of(manifest),
    )
    assert len(EventSet.read(tmp_path / "0lag.hdf5")) == 0
    assert len(RecoveredInjectionSet.read(tmp_path / "foreground.hdf5")) == 0
    assert LivetimeSet.read(tmp_path / "livetime.hdf5").Tb == 0
    assert not (tmp_path / "timeseries.hdf5").exists()


def test_settings_are_written_last(manifest, tmp_path):
    with pytest.raises(UserError, match=r"missing\.hdf5"):
        merge(
            backgrounds=[],
            foregrounds=[],
            zero_lags=[],
            livetimes=[tmp_path / "missing.hdf5"],
            output_dir=tmp_path / "infer",
            settings=settings_of(manifest),
        )
    assert not (tmp_path / "infer" / "settings.json").exists()


def test_engines_find_the_same(
    search, address, manifest, signals, tmp_path, strain, tiny
):
    strain[1, 5000:5100] = np.nan
    tiny.write_background(tmp_path / "background.hdf5", strain)
    shifts = SHIFTS, [0.0, 0.0], [0.0, 5.0]
    slides = {}
    with TritonEngine(address, manifest, streams=2) as triton:
        for name, given in (("direct", {}), ("triton", {"engine": triton})):
            slides[name] = [
                slide(tmp_path / name / str(i), one, signals)
                for i, one in enumerate(shifts)
            ]
            search(*slides[name], **given)
    for direct, server in zip(*slides.values(), strict=True):
        for kind, field in (
            (EventSet, "background"),
            (RecoveredInjectionSet, "foreground"),
            (LivetimeSet, "livetime"),
        ):
            ours = read(kind, getattr(direct, field))
            theirs = read(kind, getattr(server, field))
            for name, column in ours.items():
                np.testing.assert_allclose(
                    column, theirs[name], rtol=1e-4, err_msg=name
                )
    assert len(LivetimeSet.read(direct.livetime)) == 2


def test_gaps_are_no_livetime(tiny, search, strain, tmp_path):
    """And nothing is found in them, however loud what is beside them is."""
    strain[0, 5000:5001] = np.nan
    strain[:, 5001:5010] *= 1e6
    path = tiny.write_background(tmp_path / "gap.hdf5", strain)
    one = slide(tmp_path / "a", SHIFTS, timeseries=True)
    search(one, background=path)
    with h5py.File(one.timeseries) as file:
        lost = np.isnan(file["background"])
        assert file.attrs["length"] == 107
    assert 0 < lost.sum() < 107
    events = EventSet.read(one.background)
    livetime = LivetimeSet.read(one.livetime)
    assert events.Tb == livetime.Tb == (107 - lost.sum()) / 4
    row = np.searchsorted(livetime.start, events.detection_time, "right") - 1
    assert (row >= 0).all()
    assert (events.detection_time < livetime.stop[row]).all()


def test_many_slides_in_small_groups(
    search, signals, tmp_path, monkeypatch, manifest
):
    """Every group leaves complete files of its own."""
    shifts = [[0.0, i / 4] for i in range(7)]
    shifts.append(SHIFTS)
    whole, parts = (
        [
            slide(tmp_path / x / str(i), s, signals)
            for i, s in enumerate(shifts)
        ]
        for x in ("whole", "parts")
    )
    search(*whole)
    monkeypatch.setattr(main, "TOGETHER", 3)
    seconds = []

    def progress(iterable, total=None, description=""):
        for _ in iterable:
            seconds.append(total)
            yield

    search(*parts, progress=progress)
    assert len(seconds) == seconds[0]
    for one, other in zip(whole, parts, strict=True):
        for kind, name in (
            (EventSet, "background"),
            (RecoveredInjectionSet, "foreground"),
        ):
            ours, theirs = (read(kind, getattr(x, name)) for x in (one, other))
            for column, values in ours.items():
                np.testing.assert_allclose(
                    values, theirs[column], rtol=1e-5, err_msg=column
                )


class Broken:
    """Gives all of the first slide, then ends, fails, or gives NaN."""

    def __init__(self, engine, problem):
        self.engine, self.problem = engine, problem
        self.manifest, self.name = engine.manifest, engine.name

    def evaluate(self, slides):
        for _, outputs in self.engine.evaluate(slides[:1]):
            yield 0, outputs
        if self.problem == "fails":
            raise ConnectionError("gone")
        if self.problem == "nan":
            yield 1, np.full((1, 5), np.nan, np.float32)


@pytest.mark.parametrize(
    ("problem", "error", "message"),
    [
        ("ends", RuntimeError, r"before all outputs of the shifts \[\[0.0, 5"),
        ("fails", ConnectionError, "gone"),
        ("nan", UserError, r"5 of 5 network outputs .* \[0.0, 5.0\] are not"),
    ],
)
def test_what_is_done_stays_when_an_engine_fails(
    search, engine, tmp_path, problem, error, message
):
    slides = [
        slide(tmp_path / str(i), shifts, timeseries=True)
        for i, shifts in enumerate([SHIFTS, [0.0, 5.0]])
    ]
    with pytest.raises(error, match=message):
        search(*slides, engine=Broken(engine, problem))
    assert len(EventSet.read(slides[0].background)) > 0
    assert slides[0].livetime.exists()
    assert slides[0].timeseries.exists()
    left = [path for path in (tmp_path / "1").rglob("*") if path.is_file()]
    assert left == []


def test_injections_need_an_output(tmp_path):
    with pytest.raises(UserError, match="foreground must both be given"):
        SlideFiles(
            shifts=SHIFTS,
            background=tmp_path / "b",
            livetime=tmp_path / "l",
            injections=tmp_path / "some.hdf5",
        )


def test_segment_too_short(tiny, search, tmp_path):
    """The slide that is too short stops all before they begin."""
    slides = [
        slide(tmp_path / "a", SHIFTS),
        slide(tmp_path / "b", [0.0, 29.25]),
    ]
    with pytest.raises(UserError, match="psd_length is 8 s"):
        search(*slides)
    assert not (tmp_path / "a").exists()


def test_manifest_of_training_is_refused(run_dir, engine, search, tmp_path):
    trained = Manifest.read(run_dir / "manifest.json")
    engine.manifest = trained
    with pytest.raises(UserError, match="the one in the model repository"):
        search(slide(tmp_path, SHIFTS), engine=engine)


def test_command(
    tiny,
    search,
    repository,
    run_dir,
    background,
    tmp_path,
    monkeypatch,
    capsys,
):
    """And what a user gets for a mistake."""
    one = slide(tmp_path / "a", SHIFTS)
    search(one)
    options = {
        "repository": repository,
        "background": background,
        "start": tiny.start,
        "stop": tiny.start + SECONDS,
        "shifts": SHIFTS,
        **WINDOWS,
        "background_output": tmp_path / "c" / "b.hdf5",
        "livetime_output": tmp_path / "c" / "l.hdf5",
        "timeseries_output": tmp_path / "c" / "t.hdf5",
        "engine": "direct",
    }

    def run(**more):
        given = [f"--{k}={v}" for k, v in (options | more).items()]
        monkeypatch.setattr(sys, "argv", ["infer", *given])
        cli.main()

    with pytest.raises(SystemExit, match="2"):
        run()
    assert capsys.readouterr().err == "error: engine direct needs --weights\n"
    run(weights=run_dir)
    for kind, file, name in (
        (EventSet, "background", "b"),
        (LivetimeSet, "livetime", "l"),
    ):
        ours = read(kind, getattr(one, file))
        for column, values in read(kind, tmp_path / f"c/{name}.hdf5").items():
            np.testing.assert_allclose(values, ours[column], rtol=1e-6)
    with h5py.File(tmp_path / "c" / "t.hdf5") as file:
        assert len(file["background"]) == 107
