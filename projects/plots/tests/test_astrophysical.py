import hashlib
import json

import numpy as np
import pytest
from bokeh.models import Scatter
from conventions.errors import UserError
from ledger.events import SECONDS_IN_YEAR, EventSet
from ledger.veto_set import VetoSet
from p_astro import Pastro
from p_astro.samples import FitError
from plots import astrophysical_html
from plots.astrophysical import LISTED, assess, p_astro_model
from plots.injected import InjectedPrior
from plots.main import sensitive_volume
from plots.vetoing import Search, without_vetoed

IFOS = ["H1", "L1"]


@pytest.fixture(scope="module")
def injected(search):
    return InjectedPrior.load(search.prior)


@pytest.fixture(scope="module")
def tables(search):
    return Search(search.background, search.foreground, search.zero_lag)


@pytest.fixture(scope="module")
def assessed(search, tables, injected):
    return assess(tables, search.rejected, injected, 30.0)


@pytest.fixture(scope="module")
def run(search, tmp_path_factory):
    directory = tmp_path_factory.mktemp("inputs")
    paths = search.write(directory)

    def run(output, **replaced):
        given = paths | replaced
        return sensitive_volume(
            given["background"],
            given["foreground"],
            given["rejected"],
            given["zero_lag"],
            output,
            prior=search.prior,
            ifos=IFOS,
            astro_event_rate=given.get("rate", 30.0),
        )

    run.paths = paths
    return run


def test_totals(search, assessed, injected):
    """nonspin_bbh follows dVc/dz/(1+z): all draws weigh the same."""
    signals = assessed.model.foreground_model
    found = ~np.isneginf(search.foreground.detection_statistic)
    volume = injected.total_volume * found.sum() / 20_000
    assert signals.sensitive_volume == pytest.approx(volume, rel=1e-3)
    assert signals.total_rate == pytest.approx(30 * volume, rel=1e-3)
    assert assessed.model.background_model.total_rate == pytest.approx(
        len(search.background) / search.background.Tb * SECONDS_IN_YEAR
    )
    assert signals.volume == injected.total_volume


def test_zero_lag(search, assessed):
    events, loudest = search.zero_lag, assessed.loudest
    every = assessed.model(events.detection_statistic)
    assert assessed.expected == pytest.approx(every.sum())
    order = np.argsort(events.detection_statistic)[::-1][:LISTED]
    np.testing.assert_array_equal(
        loudest.statistic, events.detection_statistic[order]
    )
    np.testing.assert_array_equal(loudest.time, events.detection_time[order])
    np.testing.assert_array_equal(loudest.p_astro, every[order])
    np.testing.assert_array_equal(
        loudest.far, search.background.far(loudest.statistic)
    )
    assert not loudest.beyond.any()


def test_an_event_beyond_the_background_has_a_limit(search, tables, injected):
    loud = EventSet(
        detection_statistic=[1.0, 8.0],
        detection_time=[5.0, 6.0],
        shift=np.zeros((2, 2)),
        Tb=100.0,
    )
    tables = Search(tables.background, tables.foreground, loud)
    made = assess(tables, search.rejected, injected, 30.0)
    assert made.loudest.beyond[0]
    first = next(astrophysical_html.rows(made))
    assert first[:2] == ("6.000", "8")
    assert first[2].startswith("≤ ")
    assert float(first[3]) == pytest.approx(made.model(8.0), rel=1e-2)


def test_rate_scales_the_odds(search, injected, assessed):
    twice = p_astro_model(
        search.background, search.foreground, search.rejected, injected, 60.0
    )
    at = np.linspace(-4, 6, 20)
    one, two = assessed.model(at), twice(at)
    np.testing.assert_allclose(two / (1 - two), 2 * one / (1 - one), rtol=1e-9)


@pytest.mark.parametrize("rate", [-1.0, np.nan])
def test_wrong_rate_is_no_warning(search, tables, injected, rate):
    with pytest.raises(UserError, match="astro_event_rate is") as caught:
        assess(tables, search.rejected, injected, rate)
    assert not isinstance(caught.value, FitError)


def test_vetoed_events_are_left_out(search, tables, injected):
    start = 1000.0 * np.arange(300)
    intervals = np.column_stack([start, start + 300])
    vetos = VetoSet(
        {"CAT1": {"H1": intervals, "L1": []}}, settings={"vetos": ["CAT1"]}
    )
    left = without_vetoed(tables, search.livetime, vetos, ["CAT1"], IFOS)
    model = assess(left, search.rejected, injected, 30.0).model
    assert model.background_model.count == len(left.background)
    assert model.background_model.livetime == left.background.Tb
    assert left.background.Tb < 0.75 * search.background.Tb
    # Rates per unvetoed time: what is found there, of what is injected there.
    time = search.foreground.injection_time
    there = time % 1000 >= 300
    found = ~np.isneginf(left.foreground.detection_statistic)
    assert not np.any(found & ~there)
    kept = len(search.foreground) / 20_000
    assert model.foreground_model.fraction == pytest.approx(
        kept * found.sum() / there.sum(), rel=1e-3
    )


@pytest.mark.parametrize("seed", range(2))
def test_vetoes_at_random_leave_the_odds(make_search, injected, seed):
    search = make_search(background=20_000)
    tables = Search(search.background, search.foreground, None)
    rng = np.random.default_rng(seed)
    # The events of this search get louder with time.
    rng.shuffle(tables.background.detection_time)
    start = 50.0 * np.flatnonzero(rng.uniform(size=6000) < 0.5)
    vetos = VetoSet(
        {
            "CAT1": {
                "H1": np.column_stack([start, start + 50]),
                "L1": np.zeros((0, 2)),
            }
        }
    )
    left = without_vetoed(tables, search.livetime, vetos, ["CAT1"], IFOS)
    lost = 1 - left.foreground.found.sum() / search.foreground.found.sum()
    assert lost == pytest.approx(0.5, abs=0.05)
    before, after = (
        assess(each, search.rejected, injected, 30.0).model
        for each in (tables, left)
    )
    rates = [
        (m.foreground_model.total_rate, m.background_model.total_rate)
        for m in (before, after)
    ]
    assert rates[1] == pytest.approx(rates[0], rel=0.05)
    at = np.linspace(-5, -1, 20)
    one, two = before(at), after(at)
    change = np.log(two / (1 - two)) - np.log(one / (1 - one))
    assert np.median(change) == pytest.approx(0, abs=0.15)


def test_every_injection_vetoed(search, injected):
    none = np.zeros(len(search.foreground), dtype=bool)
    with pytest.raises(FitError, match="every injection is at a vetoed time"):
        p_astro_model(
            search.background,
            search.foreground,
            search.rejected,
            injected,
            30.0,
            unvetoed=none,
        )


def test_files(run, search, assessed, tmp_path):
    numbers = run(tmp_path)
    model = Pastro.read(tmp_path / "p_astro.hdf5")
    at = np.linspace(-8, 12, 50)
    np.testing.assert_array_equal(model(at), assessed.model(at))
    content = run.paths["background"].read_bytes()
    assert model.origin == {
        "background_sha256": hashlib.sha256(content).hexdigest()
    }
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary == numbers
    assert summary["astro_event_rate"] == 30
    found = summary["p_astro"]
    signals = model.foreground_model
    assert found["sensitive_volume"] == signals.sensitive_volume
    assert found["foreground_rate"] == signals.total_rate
    assert found["background_rate"] == model.background_model.total_rate
    assert found["zero_lag"] == {
        "expected_signals": assessed.expected,
        "loudest": {
            "time": assessed.loudest.time[0],
            "statistic": assessed.loudest.statistic[0],
            "far": assessed.loudest.far[0],
            "far_is_upper_limit": False,
            "p_astro": assessed.loudest.p_astro[0],
        },
    }
    page = (tmp_path / "report.html").read_text()
    for text in (
        "Loudest events of the unshifted data",
        "p_astro assumes 30 mergers per Gpc³ and year",
        f"<td>{assessed.loudest.time[0]:.3f}</td>",
        "p_astro for 30 mergers per Gpc",
    ):
        assert text in page


def test_without_unshifted_data(search, tables, injected):
    unshifted = Search(tables.background, tables.foreground, None)
    made = assess(unshifted, search.rejected, injected, 30.0)
    assert made.model is not None
    assert made.expected is made.loudest is None
    assert list(astrophysical_html.rows(made)) == []
    assert "unshifted" not in astrophysical_html.sentence(made, "prior")
    assert not astrophysical_html.p_astro(made).select({"type": Scatter})


def test_unshifted_data_without_events(run, search, tmp_path):
    empty = search.zero_lag[:0]
    empty.Tb = 100.0
    empty.write(tmp_path / "0lag.hdf5")
    numbers = run(tmp_path / "out", zero_lag=tmp_path / "0lag.hdf5", rate=0)
    zero_lag = numbers["p_astro"]["zero_lag"]
    assert zero_lag == {"expected_signals": 0.0, "loudest": None}
    assert numbers["p_astro"]["foreground_rate"] == 0


def test_too_few_events_are_told_and_an_old_model_is_removed(
    run, search, tmp_path, caplog
):
    (tmp_path / "p_astro.hdf5").write_text("of an earlier run")
    few = search.background[:40]
    few.Tb = search.background.Tb
    few.write(tmp_path / "few.hdf5")
    numbers = run(tmp_path, background=tmp_path / "few.hdf5")
    assert numbers["p_astro"] is None
    assert numbers["astro_event_rate"] == 30
    (warning,) = (
        text for text in numbers["warnings"] if "p_astro is not" in text
    )
    assert "the background: 40 detection statistics" in warning
    assert warning in caplog.text
    assert not (tmp_path / "p_astro.hdf5").exists()
    page = (tmp_path / "report.html").read_text()
    assert "p_astro is not given: the background" in page
    assert "<td>not given</td>" in page


def test_figure(assessed):
    """One curve each, and the events on the axis of probabilities."""
    plot = astrophysical_html.p_astro(assessed)
    (line, *_) = plot.renderers
    data = line.data_source.data
    low, high = data["statistic"][[0, -1]]
    assert low < -7
    assert high > 3
    np.testing.assert_array_equal(
        data["p_astro"], assessed.model(data["statistic"])
    )
    assert plot.y_range.start > 0
    assert [line.y_range_name for line in plot.renderers] == [
        "default",
        "default",
        "probability",
        "probability",
    ]
