import numpy as np
import pytest
from conventions.errors import UserError
from infer.postprocess import Postprocessor


def processor(**changes):
    settings = {
        "psd_length": 8.0,
        "inference_sampling_rate": 4.0,
        "fduration": 1.0,
        "integration_window_length": 1.0,
        "cluster_window_length": 8.0,
    }
    return Postprocessor(**settings | changes)


def search(post, outputs):
    finder = post.finder()
    finder.feed(np.asarray(outputs))
    return finder.finish()


def events_of(post, outputs, start, shifts):
    return post.events(search(post, outputs), start, shifts)


def test_event_of_a_boxcar_signal():
    """A signal seen for the whole window is dated to its coalescence."""
    outputs = np.full(200, -2.0)
    # The coalescence enters the kernel at output 100, and stays for 1 s.
    outputs[100:104] = 5.0
    events = events_of(processor(), outputs, 1000.0, [0.0, 3.0])
    assert events.Tb == 50
    loudest = events.sort_by("detection_statistic")[-1]
    assert loudest.detection_statistic[0] == 5.0
    # Output 103: its right edge is 8 + 26 - 0.5 s after the start.
    assert loudest.detection_time[0] == 1000 + 8 + 26 - 0.5 - 1.0
    assert loudest.shift.tolist() == [[0.0, 3.0]]


def test_start_of_a_quiet_segment_makes_no_loud_event():
    events = events_of(processor(), np.full(200, -5.0), 0.0, [0.0])
    assert events.detection_statistic.tolist() == [-5.0]


def test_no_outputs():
    events = events_of(processor(), np.zeros(0), 0.0, [0.0, 1.0])
    assert len(events) == 0
    assert events.Tb == 0


def test_livetime_does_not_depend_on_windows():
    outputs = np.random.default_rng(1).normal(size=333)
    for window in (0.25, 3.0, 500.0):
        post = processor(
            integration_window_length=window, cluster_window_length=window
        )
        found = events_of(post, outputs, 0.0, [0.0])
        assert found.Tb == 333 / 4
        assert len(found) >= 1


def test_livetime_is_that_of_the_events():
    """Stretches lie where the events between their gaps are dated."""
    outputs = np.random.default_rng(2).normal(size=500)
    outputs[[0, 100, 101, 200, 499]] = np.nan
    post = processor(cluster_window_length=1.0)
    found = search(post, outputs)
    start, shifts = 1_000_000_000.0, [0.0, 3.0]
    events = post.events(found, start, shifts)
    livetime = post.livetime(found, start, shifts)
    assert events.Tb == livetime.Tb == (500 - 5) / 4
    assert livetime.shift.tolist() == [shifts] * 3
    # Output 1: its right edge is at 8 + 2 / 4 - 0.5 s.
    assert livetime.start[0] == start + 8 + 0.5 - 0.5 - 1.0
    assert livetime.duration.tolist() == [99 / 4, 98 / 4, 298 / 4]
    stretch = np.searchsorted(livetime.start, events.detection_time, "right")
    assert (events.detection_time < livetime.stop[stretch - 1]).all()
    assert set(stretch) == {1, 2, 3}


def test_nothing_but_gaps():
    post = processor()
    found = search(post, np.full(9, np.nan))
    assert len(post.events(found, 0.0, [0.0, 1.0])) == 0
    livetime = post.livetime(found, 0.0, [0.0, 1.0])
    assert len(livetime) == 0
    assert livetime.shift.shape == (0, 2)


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
