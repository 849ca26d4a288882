import csv

import numpy as np
import pytest
from infer.search import report
from infer.search.report import Found
from ledger.events import SECONDS_IN_YEAR, EventSet

HOUR = SECONDS_IN_YEAR / 3600


def found(
    far_per_hour=(0.125, 0.5, 20.0), beyond=(True, False, False), p_astro=None
):
    count = len(far_per_hour)
    events = EventSet(
        detection_statistic=np.arange(count, 0.0, -1),
        detection_time=1126259462.4 + np.arange(count),
        shift=np.zeros((count, 2)),
        Tb=21.0,
    )
    return Found(
        events,
        np.array(far_per_hour) * HOUR,
        0.125 * HOUR,
        np.array(beyond, dtype=bool),
        np.linspace(1e-4, 0.1, count),
        None if p_astro is None else np.array(p_astro),
        None if p_astro is None else 28.0,
    )


def lines(text):
    return [line for line in text.splitlines() if "2015-09-14" in line]


def test_table_lists_up_to_the_far_and_marks_loudest_and_limit():
    text = report.table(found(), 1 * HOUR)
    one, two = lines(text)
    assert one.startswith("*  1126259462.400  2015-09-14 09:50:45.400  3.000")
    assert "<= 0.125/hour" in one
    assert two.startswith("   1126259463.400")
    assert "<=" not in two
    assert "0.5/hour" in two
    assert "livetime resolves no smaller rate than 0.125/hour" in text
    assert text.endswith("2 of 3 events have a FAR of at most 1/hour.")
    assert len(lines(report.table(found(), 100 * HOUR))) == 3


def test_table_says_what_p_astro_assumes():
    text = report.table(found(p_astro=(0.987, 0.5, 0.0012)), 100 * HOUR)
    assert [line.split()[-1] for line in lines(text)] == [
        "0.99",
        "0.5",
        "0.0012",
    ]
    assert "with 28 mergers per Gpc^3 and year like" in text
    assert "unknown" not in text


def test_table_says_that_there_is_no_p_astro():
    text = report.table(found(), 1 * HOUR)
    assert all(line.endswith("unknown") for line in lines(text))
    assert "the run has no results/sensitive_volume/p_astro.hdf5" in text


def test_loudest_is_listed_though_nothing_is_significant():
    text = report.table(found((20.0, 30.0), (False, False)), 1 * HOUR)
    (line,) = lines(text)
    assert line.startswith("*")
    assert "<=" not in text
    assert "Nothing significant: none of 2 events" in text
    assert text.endswith("an event like the loudest 20/hour.")


def test_equal_to_the_loudest_of_the_background_is_no_limit():
    text = report.table(found((0.125,), (False,)), 1 * HOUR)
    assert "<=" not in text
    assert text.endswith("1 of 1 events has a FAR of at most 1/hour.")


def test_no_event_is_said():
    text = report.table(found((), ()), 1 * HOUR)
    assert text.startswith("No event")


def test_files_hold_all_events_in_order(tmp_path):
    events = found(p_astro=(0.9, 0.5, 0.1))
    table, ledger = report.write(events, tmp_path / "new" / "folder")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == report.COLUMNS
    assert [row["gps_time"] for row in rows] == [
        "1126259462.4000",
        "1126259463.4000",
        "1126259464.4000",
    ]
    assert [row["far_is_upper_limit"] for row in rows] == [
        "true",
        "false",
        "false",
    ]
    far = [float(row["far_per_year"]) for row in rows]
    assert far == pytest.approx(events.far, rel=1e-5)
    assert [row["p_astro"] for row in rows] == ["0.9", "0.5", "0.1"]
    assert EventSet.read(ledger) == events.events
    report.write(found(), tmp_path / "new" / "folder")
    with table.open() as file:
        assert {row["p_astro"] for row in csv.DictReader(file)} == {""}


def test_assess_is_that_of_ledger_and_model(make_p_astro):
    class Analysis:
        events = found().events
        livetime = 21.0

    class Run:
        background = EventSet(
            detection_statistic=np.array([0.5, 1.5, 2.5, 2.6]),
            detection_time=np.zeros(4),
            shift=np.zeros((4, 2)),
            Tb=8 * 3600.0,
        )
        p_astro = None

    assessed = report.assess(Analysis, Run)
    np.testing.assert_allclose(
        assessed.far / HOUR, np.array([1, 2, 3]) / 8, rtol=1e-12
    )
    assert assessed.beyond.tolist() == [True, False, False]
    np.testing.assert_allclose(
        assessed.probability,
        1 - np.exp(-21.0 * np.array([1, 3, 4]) / (8 * 3600)),
        rtol=1e-9,
    )
    assert assessed.p_astro is assessed.astro_event_rate is None

    Run.p_astro = make_p_astro(rate=30.0)
    assessed = report.assess(Analysis, Run)
    np.testing.assert_array_equal(
        assessed.p_astro, Run.p_astro(Analysis.events.detection_statistic)
    )
    assert assessed.astro_event_rate == 30
