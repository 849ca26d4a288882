import pytest
from ledger.events import SECONDS_IN_YEAR
from plots.appearance import duration_name, rate_name


@pytest.mark.parametrize(
    ("far", "name"),
    [
        (8766.0, "1 per hour"),
        (1.0, "1 per year"),
        (1095.75, "1100 per year"),
        (0.25, "0.25 per year"),
        (2.5e8, "2.5e+08 per year"),
    ],
)
def test_rate_name(far, name):
    assert rate_name(far) == name


@pytest.mark.parametrize(
    ("seconds", "name"),
    [
        (28800.0, "8 hours"),
        (10 * 86400.0, "10 days"),
        (SECONDS_IN_YEAR, "365 days"),
        (2.5 * SECONDS_IN_YEAR, "2.5 years"),
    ],
)
def test_duration_name(seconds, name):
    assert duration_name(seconds) == name
