import json
from dataclasses import asdict

import numpy as np
import pytest
from conventions.errors import UserError
from ledger.events import SECONDS_IN_YEAR, EventSet
from ledger.livetime import LivetimeSet
from ledger.veto_set import VetoSet
from plots.main import sensitive_volume
from plots.vetoing import Search, without_vetoed

IFOS = ["H1", "L1"]


@pytest.fixture(scope="module")
def made(make_search):
    return make_search(draws=3000)


@pytest.fixture
def search(made):
    return Search(made.background, made.foreground, made.zero_lag)


@pytest.fixture
def vetos():
    """A tenth of the time by flags, the same by gates, and an event."""
    tens = 1000.0 * np.arange(30)
    flags = np.column_stack([tens, tens + 100])
    return VetoSet(
        {
            "CAT1": {"H1": flags, "L1": []},
            "GATES": {"H1": [], "L1": flags + 50},
            "CATALOG": {ifo: [(300, 400)] for ifo in IFOS},
        },
        settings={"vetos": ["CAT1", "GATES", "CATALOG"]},
    )


def vetoed(events, vetos, categories):
    """By brute force."""
    result = np.zeros(len(events), dtype=bool)
    for name in categories:
        for column, ifo in enumerate(IFOS):
            times = events.detection_time + events.shift[:, column]
            for start, stop in vetos.intervals[name][ifo]:
                result |= (times >= start) & (times < stop)
    return result


def test_events_in_vetoed_time_of_any_ifo_are_removed(made, search, vetos):
    names = ["CAT1", "GATES", "CATALOG"]
    left = without_vetoed(search, made.livetime, vetos, names, IFOS)
    mask = vetoed(search.background, vetos, names)
    assert 0 < mask.sum() < len(mask)
    expected = search.background[~mask]
    expected.Tb = left.background.Tb
    assert left.background == expected
    assert left.losses["all"].background_events == mask.sum()
    # H1's flags from 0 to 100, L1's gates from 49 to 149 of every 1000 s,
    # and the event from 299 to 400, in 28.8 times 1000 s
    lost = 28 * 149 + 149 + 101
    assert left.losses["all"].background_seconds == pytest.approx(lost)
    assert left.background.Tb == pytest.approx(search.background.Tb - lost)
    assert search.background.Tb == 28_800


def test_vetoed_injections_count_as_missed(made, search, vetos):
    names = ["CAT1", "GATES"]
    left = without_vetoed(search, made.livetime, vetos, names, IFOS)
    mask = vetoed(search.foreground, vetos, names)
    before, after = search.foreground, left.foreground
    assert len(after) == len(before)
    assert after.num_injections == before.num_injections
    assert np.isneginf(after.detection_statistic[mask]).all()
    assert np.isnan(after.detection_time[mask]).all()
    for name in ("detection_statistic", "detection_time", "snr"):
        np.testing.assert_array_equal(
            getattr(after, name)[~mask], getattr(before, name)[~mask]
        )
    assert before.found.sum() - after.found.sum() == mask.sum() > 0
    assert left.losses["all"].injections == mask.sum()


def test_known_events_stay_in_unshifted_data(made, search, vetos):
    names = ["CATALOG", "CAT1"]
    left = without_vetoed(search, made.livetime, vetos, names, IFOS)
    mask = vetoed(search.zero_lag, vetos, ["CAT1"])
    assert len(left.zero_lag) == len(search.zero_lag) - mask.sum()
    assert left.losses["CATALOG"].zero_lag_events is None
    assert left.losses["CATALOG"].zero_lag_seconds is None
    assert left.losses["CATALOG"].background_seconds == 101
    assert left.losses["all"].zero_lag_events == mask.sum()
    # 2880 s: three times 100 s
    assert left.zero_lag.Tb == 2580
    assert left.losses["CATALOG"].injections is None
    gone = vetoed(search.foreground, vetos, ["CAT1"])
    np.testing.assert_array_equal(
        left.foreground.found, search.foreground.found & ~gone
    )
    # In the background they are vetoed.
    both = vetoed(search.background, vetos, names)
    assert left.losses["all"].background_events == both.sum()
    alone = without_vetoed(search, made.livetime, vetos, ["CATALOG"], IFOS)
    assert alone.zero_lag == search.zero_lag
    assert alone.foreground == search.foreground
    assert alone.unvetoed is None
    assert alone.losses["all"].zero_lag_seconds is None


def test_losses_of_categories_are_their_own(made, search, vetos):
    names = ["CAT1", "GATES"]
    left = without_vetoed(search, made.livetime, vetos, names, IFOS)
    for name in names:
        alone = without_vetoed(search, made.livetime, vetos, [name], IFOS)
        assert alone.losses == {
            name: left.losses[name],
            "all": left.losses[name],
        }
    every = asdict(left.losses["all"])
    for key, total in every.items():
        parts = [asdict(left.losses[name])[key] for name in names]
        assert max(parts) <= total <= sum(parts)


def test_rates_are_per_searched_time(make_search):
    """Vetoing time at random does not change the rate of quiet noise."""
    search = make_search(draws=10, background=10_000)
    times = np.arange(0, 28_800, 20.0)
    vetos = VetoSet(
        {"CAT1": {"H1": np.column_stack([times, times + 10]), "L1": []}}
    )
    tables = Search(search.background, search.foreground, None)
    left = without_vetoed(tables, search.livetime, vetos, ["CAT1"], IFOS)
    assert left.background.Tb == 14_400
    threshold = np.median(search.background.detection_statistic)
    before = search.background.far(threshold)
    # 2500 of 5000 events are left, with a binomial error of 1.4%.
    assert left.background.far(threshold) == pytest.approx(before, rel=0.06)
    assert left.background.min_far == SECONDS_IN_YEAR / 14_400


def test_all_unshifted_data_vetoed(made, search, caplog):
    vetos = VetoSet(
        {"CAT1": {"H1": [], "L1": [(0, 2880)]}}, notes={"warnings": ["odd"]}
    )
    left = without_vetoed(search, made.livetime, vetos, ["CAT1"], IFOS)
    assert left.zero_lag is None
    assert left.losses["all"].zero_lag_seconds == 2880
    assert left.warnings == (
        "odd",
        "the vetoes leave nothing of the unshifted data",
    )
    assert "odd" in caplog.text


def test_empty_tables(made, vetos):
    search = Search(
        EventSet(Tb=28_800.0), made.foreground[:0], EventSet(Tb=2880.0)
    )
    left = without_vetoed(search, made.livetime, vetos, ["CAT1"], IFOS)
    assert len(left.background) == 0
    assert left.background.Tb == 28_800 - 2900
    assert left.losses["all"].injections == 0


def test_nothing_left_is_an_error(made, search):
    vetos = VetoSet({"CAT1": {"H1": [], "L1": [(-10, 1e6)]}})
    with pytest.raises(UserError, match="CAT1 leave nothing of 28800 s"):
        without_vetoed(search, made.livetime, vetos, ["CAT1"], IFOS)


@pytest.mark.parametrize("row", [0, 1])
def test_stretches_of_another_search(made, search, vetos, row):
    stretches = made.livetime
    stop = stretches.stop.copy()
    stop[row] += 1
    other = LivetimeSet(stretches.start, stop, stretches.shift)
    with pytest.raises(UserError, match="not of the same search"):
        without_vetoed(search, other, vetos, ["CAT1"], IFOS)


def test_absent_category(made, search, vetos):
    with pytest.raises(UserError, match="no vetoes of category CAT2"):
        without_vetoed(search, made.livetime, vetos, ["CAT2"], IFOS)


def run(paths, directory, **options):
    return sensitive_volume(
        paths["background"],
        paths["foreground"],
        paths["rejected"],
        paths["zero_lag"],
        directory,
        prior="priors.priors.nonspin_bbh",
        ifos=IFOS,
        astro_event_rate=28.0,
        **options,
    )


def test_report_and_summary(made, vetos, tmp_path):
    paths = made.write(tmp_path)
    vetos.write(tmp_path / "vetos.hdf5")
    before = run(paths, tmp_path / "before")
    assert before["vetos"] is None
    after = run(
        paths,
        tmp_path / "after",
        vetos=["CAT1", "CATALOG"],
        veto_file=tmp_path / "vetos.hdf5",
        livetime=paths["livetime"],
    )
    written = json.loads((tmp_path / "after/summary.json").read_text())
    assert written["vetos"] == after["vetos"]
    losses = written["vetos"]["losses"]
    assert list(losses) == ["CAT1", "CATALOG", "all"]
    assert written["vetos"]["settings"] == vetos.settings
    lost = losses["all"]
    for name in ("background", "zero_lag"):
        seconds = before["livetime"][name] - lost[f"{name}_seconds"]
        assert written["livetime"][name] == pytest.approx(seconds)
        events = before["counts"][f"{name}_events"] - lost[f"{name}_events"]
        assert written["counts"][f"{name}_events"] == events
    counts = after["counts"]
    assert counts["kept"] == before["counts"]["kept"]
    assert counts["injections"] == before["counts"]["injections"]
    found = before["counts"]["found_at_any_far"] - lost["injections"]
    assert counts["found_at_any_far"] == found
    page = (tmp_path / "after/report.html").read_text()
    assert "What was vetoed" in page
    assert f"{losses['CATALOG']['background_seconds']:.0f} s (0.35%)" in page
    assert "not applied" in page
    assert "vetoed" not in (tmp_path / "before/report.html").read_text()


@pytest.mark.parametrize("missing", ["veto_file", "livetime"])
def test_vetoes_need_their_files(made, tmp_path, missing):
    paths = made.write(tmp_path)
    files = {"veto_file": tmp_path / "v", "livetime": paths["livetime"]}
    files[missing] = None
    with pytest.raises(UserError, match="CAT1 need the vetoed times"):
        run(paths, tmp_path / "out", vetos=["CAT1"], **files)
