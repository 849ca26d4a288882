import numpy as np
from datagen import gaps


def test_finds_spans_at_edges_and_inside():
    data = np.zeros(16)
    data[[0, 1, 5, 15]] = np.nan
    data[6] = np.inf
    assert gaps.find(data, 100.0, 4) == [
        (100.0, 100.5),
        (101.25, 101.75),
        (103.75, 104.0),
    ]


def test_finds_nothing_in_good_data():
    assert gaps.find(np.zeros(16), 100.0, 4) == []


def test_error_names_ifo_origin_and_spans():
    spans = [(float(i), i + 0.5) for i in range(5)]
    message = str(gaps.error("H1", spans, "file"))
    assert message.startswith("file: H1 ")
    assert "[0, 0.5), [1, 1.5), [2, 2.5) and 2 more" in message
