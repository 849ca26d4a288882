import pytest
from conventions.errors import UserError
from datagen import grid


def test_span_counts_samples_from_gps_zero():
    assert grid.span(1126259462.25, 2.5, 2048) == (
        1126259462 * 2048 + 512,
        5120,
    )


def test_span_allows_for_the_resolution_of_gps_floats():
    first, size = grid.span(1126259462.001, 1.0, 1000.0)
    assert (first, size) == (1126259462001, 1000)


@pytest.mark.parametrize(
    ("start", "duration", "sample_rate", "message"),
    [
        (100.0001, 1, 2048, "start: 100.0001 s is not a whole number"),
        (100, 1.0003, 2048, "duration: 1.0003 s is not a whole number"),
        (100, 0, 2048, "duration: 0 s is not positive"),
        (100, 1, 2048.5, "sample_rate: 2048.5 is not accepted"),
        (100, 1, -1, "sample_rate: -1 is not accepted"),
    ],
)
def test_span_rejects(start, duration, sample_rate, message):
    with pytest.raises(UserError, match=message):
        grid.span(start, duration, sample_rate)


def test_random_numbers_depend_on_every_argument_and_nothing_else():
    keys = [
        (1, "H1", "a", 5),
        (2, "H1", "a", 5),
        (1, "L1", "a", 5),
        (1, "H1", "b", 5),
        (1, "H1", "a", 6),
    ]
    first = [grid.generator(*key).random() for key in keys]
    again = [grid.generator(*key).random() for key in reversed(keys)]
    assert first == again[::-1]
    assert len(set(first)) == len(keys)


def test_random_numbers_are_those_of_earlier_versions():
    value = grid.generator(1, "H1", "noise at 2048 Hz", 62500000).random()
    assert value == pytest.approx(0.5583342029088844)
