import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st
from infer.postprocess import Postprocessor, cluster, integrate

# Few distinct values, so that ties and plateaus are common.
SERIES = st.lists(st.integers(-3, 3), max_size=40).map(
    lambda values: np.array(values, dtype=float)
)


@given(SERIES, st.integers(1, 50))
def test_integrate_is_a_causal_mean(outputs, window):
    expected = [
        np.mean(outputs[max(i - window + 1, 0) : i + 1])
        for i in range(len(outputs))
    ]
    np.testing.assert_allclose(
        integrate(outputs, window), expected, atol=1e-12
    )


def test_window_of_one_output_changes_nothing():
    outputs = np.random.default_rng(0).normal(size=100)
    np.testing.assert_array_equal(integrate(outputs, 1), outputs)


def test_plateau_stays_flat():
    integrated = integrate(np.full(1000, 0.1), 7)
    assert np.ptp(integrated[6:]) == 0


@given(SERIES, st.integers(0, 50))
def test_cluster_is_brute_force(values, reach):
    expected = []
    for i, value in enumerate(values):
        before = values[max(i - reach, 0) : i]
        after = values[i + 1 : i + reach + 1]
        if all(value > before) and all(value >= after):
            expected.append(i)
    assert cluster(values, reach).tolist() == expected


def processor(**changes):
    settings = {
        "psd_length": 8.0,
        "inference_sampling_rate": 4.0,
        "fduration": 1.0,
        "integration_window_length": 1.0,
        "cluster_window_length": 8.0,
    }
    return Postprocessor(**settings | changes)


def test_event_of_a_boxcar_signal():
    """A signal seen for the whole window is dated to its coalescence."""
    outputs = np.full(200, -2.0)
    # The coalescence enters the kernel at output 100, and stays for 1 s.
    outputs[100:104] = 5.0
    events = processor().events(outputs, 1000.0, [0.0, 3.0])
    assert events.Tb == 50
    loudest = events.sort_by("detection_statistic")[-1]
    assert loudest.detection_statistic[0] == 5.0
    # Output 103: its right edge is 8 + 26 - 0.5 s after the start.
    assert loudest.detection_time[0] == 1000 + 8 + 26 - 0.5 - 1.0
    assert loudest.shift.tolist() == [[0.0, 3.0]]


def test_start_of_a_quiet_segment_makes_no_loud_event():
    events = processor().events(np.full(200, -5.0), 0.0, [0.0])
    assert events.detection_statistic.tolist() == [-5.0]


def test_no_outputs():
    events = processor().events(np.zeros(0), 0.0, [0.0, 1.0])
    assert len(events) == 0
    assert events.Tb == 0


def test_livetime_does_not_depend_on_windows():
    outputs = np.random.default_rng(1).normal(size=333)
    for window in (0.25, 3.0, 500.0):
        found = processor(
            integration_window_length=window, cluster_window_length=window
        ).events(outputs, 0.0, [0.0])
        assert found.Tb == 333 / 4
        assert len(found) >= 1


def test_outputs_that_are_no_numbers():
    outputs = np.zeros(9)
    outputs[4] = np.nan
    with pytest.raises(UserError, match="1 of 9 network outputs"):
        processor().events(outputs, 5.0, [0.0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("integration_window_length", 0.2),
        ("cluster_window_length", -1.0),
    ],
)
def test_impossible_windows(name, value):
    with pytest.raises(UserError, match=f"{name}: {value}"):
        processor(**{name: value})
