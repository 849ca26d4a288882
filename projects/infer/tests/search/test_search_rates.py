import pytest
from conventions.errors import UserError
from infer.search import rates
from ledger.events import SECONDS_IN_YEAR


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1/yr", 1.0),
        ("2/year", 2.0),
        ("1/hour", SECONDS_IN_YEAR / 3600),
        ("0.5 / day", SECONDS_IN_YEAR / 86400 / 2),
        ("3e-1/month", 3.6),
    ],
)
def test_parse(text, rate):
    assert rates.parse(text) == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", "1", "1/", "/yr", "x/yr", "1/s", "0/yr", "-1/yr", "nan/yr"]
)
def test_parse_refuses(text):
    with pytest.raises(UserError, match="is not a rate"):
        rates.parse(text)


def test_show_in_the_unit_that_suits():
    hour = SECONDS_IN_YEAR / 3600
    assert rates.show(hour) == "1/hour"
    assert rates.show(0.125 * hour, at_most=True) == "<= 0.125/hour"
    assert rates.show(0.01234) == "0.0123/yr"
    assert rates.show(100.0) == "100/yr"
    assert rates.parse(rates.show(0.5 * hour)) == pytest.approx(0.5 * hour)
