import json
from html.parser import HTMLParser

import h5py
import matplotlib.image
import numpy as np
import pytest
from conventions.errors import UserError
from ledger.events import SECONDS_IN_YEAR, EventSet
from plots import figures_png, store
from plots.analysis import analyse
from plots.astrophysical import assess
from plots.injected import InjectedPrior
from plots.main import sensitive_volume
from plots.populations import Population
from plots.summary import summarise
from plots.vetoing import Search
from plots.volume import RecoveredStatistics, Weights

HOURLY = SECONDS_IN_YEAR / 3600


class Loader(HTMLParser):
    """What a browser would fetch; the text of scripts is not markup."""

    def __init__(self):
        super().__init__()
        self.seen = set()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        names = {"src", "href", "data", "srcset"}
        self.addresses += [value for name, value in attrs if name in names]


def judge(search, **settings):
    """The summary alone, without files and figures."""
    injected = InjectedPrior.load(search.prior)
    tables = Search(search.background, search.foreground, None)
    analysis = analyse(
        tables.background,
        tables.foreground,
        search.rejected,
        None,
        injected,
        **settings,
    )
    astrophysical = assess(tables, search.rejected, injected, 28.0)
    return summarise(analysis, injected, ["H1"], tables, astrophysical)


def run(search, directory, **settings):
    paths = search.write(directory)
    return sensitive_volume(
        paths["background"],
        paths["foreground"],
        paths["rejected"],
        settings.pop("zero_lag", paths["zero_lag"]),
        directory / "sensitive_volume",
        prior=search.prior,
        ifos=["H1", "L1"],
        astro_event_rate=28.0,
        **settings,
    )


@pytest.fixture(scope="module")
def directory(search, tmp_path_factory):
    directory = tmp_path_factory.mktemp("search")
    run(search, directory)
    return directory / "sensitive_volume"


@pytest.fixture(scope="module")
def summary(directory):
    return json.loads((directory / "summary.json").read_text())


def test_files_and_nothing_else(directory):
    assert sorted(path.name for path in directory.iterdir()) == [
        "background_rate.png",
        "found_missed.png",
        "p_astro.hdf5",
        "recovered_fraction.png",
        "report.html",
        "sensitive_volume.hdf5",
        "summary.json",
        "volume_vs_far.png",
    ]


def test_hdf5(search, directory):
    with h5py.File(directory / "sensitive_volume.hdf5") as file:
        far, threshold = file["far"][:], file["threshold"][:]
        assert file["far"].attrs["unit"] == "1/yr"
        np.testing.assert_array_equal(
            threshold, search.background.threshold_at_far(far)
        )
        assert far[0] == search.background.min_far
        assert HOURLY in far
        assert set(file["populations"]) == {
            "35-35",
            "35-20",
            "20-20",
            "20-10",
        }
        for group in file["populations"].values():
            volume = group["volume"][:]
            assert np.all(np.diff(volume) >= -1e-9)
            assert np.all(volume <= file.attrs["total_volume"])
            assert np.all(group["error"][:] >= 0)
            assert group.attrs["ess"] >= group.attrs["ess_kept"] * 0.1
            assert group["volume"].attrs["unit"] == "Gpc3"
        assert file["background"].attrs["livetime"] == search.background.Tb
        assert file["zero_lag/rate"].shape == file["zero_lag/ifar"].shape


def test_summary(search, summary):
    assert summary["livetime"] == {"background": 28800.0, "zero_lag": 2880.0}
    counts = summary["counts"]
    assert counts["injections"] == counts["kept"] + counts["rejected"]
    assert counts["injections"] == 20_000
    assert counts["background_events"] == len(search.background)
    assert summary["far_range"]["lowest"] == search.background.min_far
    assert summary["versions"]["numpy"] == np.__version__
    for row in summary["populations"].values():
        at_reference = row["at_reference_far"]
        assert at_reference["far"] == HOURLY
        assert at_reference["volume"] >= row["at_lowest_far"]["volume"]


def test_recovered_fraction(search, summary):
    recovered = summary["recovered_fraction"]
    assert [row["snr"] for row in recovered["bins"]] == [
        "4-6",
        "6-8",
        "8-10",
        "10-12",
        "12-15",
        "15-20",
        ">=20",
    ]
    assert set(recovered["summary"]) == {"8-10", ">=12"}
    threshold = search.background.threshold_at_far(HOURLY)
    assert recovered["threshold"] == threshold
    table = search.foreground
    inside = (table.snr >= 8) & (table.snr < 10)
    found = inside & (table.detection_statistic >= threshold)
    row = recovered["summary"]["8-10"]
    assert (row["injections"], row["found"]) == (inside.sum(), found.sum())
    assert row["interval"][0] < row["fraction"] < row["interval"][1]
    assert summary["counts"]["found_at_reference_far"] == np.sum(
        table.detection_statistic >= threshold
    )


def test_page_opens_without_a_network(directory):
    page = (directory / "report.html").read_text()
    loader = Loader()
    loader.feed(page)
    assert "script" in loader.seen
    assert loader.addresses == []
    assert "@import" not in page
    for text in ("35 + 20", "Recovered injections by SNR", "found (FAR up"):
        assert text in page


@pytest.mark.parametrize("name", figures_png.FIGURES)
def test_figures_show_something(directory, name):
    image = matplotlib.image.imread(directory / f"{name}.png")
    assert image.shape[0] > 600
    assert image.shape[1] > 1000
    assert image[..., :3].std() > 0.05


def test_equal_weights_give_the_found_fraction(make_search):
    """With p_target = p_source the volume is V0 times the found fraction."""
    search = make_search(draws=4000)
    weights = Weights.from_logarithms(
        np.zeros(len(search.foreground)), np.zeros(len(search.rejected))
    )
    threshold = search.background.threshold_at_far(HOURLY)
    statistics = search.foreground.detection_statistic
    volume, _ = RecoveredStatistics(statistics).volume(
        weights, [threshold], 5.0
    )
    assert volume == pytest.approx(5 * np.sum(statistics >= threshold) / 4000)


def test_livetime_too_short_for_the_reference(make_search, tmp_path, caplog):
    search = make_search(draws=2000, livetime=1800.0)
    summary = run(search, tmp_path)
    recovered = summary["recovered_fraction"]
    assert recovered["threshold"] is None
    assert recovered["bins"] == []
    assert "1/Tb" in recovered["unresolved"]
    assert recovered["unresolved"] in caplog.text
    assert summary["counts"]["found_at_reference_far"] is None
    assert all(
        row["at_reference_far"] is None
        for row in summary["populations"].values()
    )


def test_small_samples_warn(make_search, caplog):
    summary = judge(make_search(draws=300))
    assert any("fewer than 100" in text for text in summary["warnings"])
    assert "population 20-10" in caplog.text


def test_uncovered_population_warns(make_search):
    summary = judge(make_search(draws=2000), populations=[Population(90, 90)])
    assert summary["populations"]["90-90"]["coverage"] < 0.5
    assert any("is not zero" in text for text in summary["warnings"])


@pytest.mark.parametrize("size", [0, 1])
def test_hardly_any_background(make_search, tmp_path, size):
    search = make_search(draws=500, background=size)
    summary = run(search, tmp_path, zero_lag=None)
    assert summary["counts"]["background_events"] == size
    assert summary["livetime"]["zero_lag"] is None
    with h5py.File(tmp_path / "sensitive_volume/sensitive_volume.hdf5") as f:
        assert f["far"].shape == (1,)
        assert "zero_lag" not in f


def test_nothing_found(make_search, tmp_path):
    search = make_search(draws=500)
    count = len(search.foreground)
    search.foreground.detection_statistic = np.full(count, -np.inf)
    search.foreground.detection_time = np.full(count, np.nan)
    summary = run(search, tmp_path)
    assert summary["counts"]["found_at_any_far"] == 0
    for row in summary["populations"].values():
        assert row["at_reference_far"]["volume"] == 0


def test_no_kept_injections(make_search, tmp_path):
    search = make_search(draws=500)
    rejected = search.rejected[:50]
    foreground = search.foreground[:0]
    foreground.num_injections = 50
    search.foreground, search.rejected = foreground, rejected
    summary = run(search, tmp_path)
    assert summary["counts"]["kept"] == 0
    assert summary["recovered_fraction"]["bins"][0]["fraction"] is None


def test_no_draws(make_search, tmp_path):
    with pytest.raises(UserError, match="no injection was drawn"):
        run(make_search(draws=0), tmp_path)


def test_tables_of_different_runs(make_search, tmp_path):
    search = make_search(draws=500)
    search.rejected = search.rejected[1:]
    with pytest.raises(UserError, match="500 injections were drawn"):
        run(search, tmp_path)
    assert not (tmp_path / "sensitive_volume").exists()


def test_no_livetime(make_search, tmp_path):
    search = make_search(draws=500)
    search.background = EventSet()
    with pytest.raises(UserError, match="livetime"):
        run(search, tmp_path)


def test_wrong_prior(make_search, tmp_path):
    search = make_search(draws=500)
    search.prior = "priors.priors.end_o3_ratesandpops_bns"
    with pytest.raises(UserError, match="give the prior that made them"):
        run(search, tmp_path)


def test_missing_file(search, tmp_path):
    with pytest.raises(UserError, match=r"absent\.hdf5"):
        run(search, tmp_path, zero_lag=tmp_path / "absent.hdf5")


def test_a_failure_leaves_no_partial_file(make_search, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("disk full")

    monkeypatch.setattr(store, "_rate", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        run(make_search(draws=500), tmp_path)
    assert list((tmp_path / "sensitive_volume").iterdir()) == []
