import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from infer import peaks
from infer.peaks import EventFinder, cluster, integrate

# Few distinct values, so that ties and plateaus are common.
SERIES = st.lists(st.integers(-3, 3), max_size=40).map(
    lambda values: np.array(values, dtype=float)
)
GAPPED = st.lists(
    st.one_of(st.integers(-3, 3), st.just(np.nan)), max_size=120
).map(lambda values: np.array(values, dtype=np.float32))


def means(outputs, window):
    """What integration is."""
    found = []
    for i in range(len(outputs)):
        seen = outputs[max(i - window + 1, 0) : i + 1]
        found.append(math.fsum(seen) / len(seen))
    return found


def loudest(values, reach):
    """What clustering is."""
    found = []
    for i, value in enumerate(values):
        before = values[max(i - reach, 0) : i]
        after = values[i + 1 : i + reach + 1]
        if all(value > x for x in before) and all(value >= x for x in after):
            found.append(i)
    return found


def reference(outputs, window, reach):
    """Statistic, index and stretches of events between gaps."""
    statistic, index, stretches, run = [], [], [], []
    for i, value in enumerate([*outputs.tolist(), math.nan]):
        if not math.isnan(value):
            run.append(value)
            continue
        if run:
            integrated = means(run, window)
            stretches.append([i - len(run), i])
            for peak in loudest(integrated, reach):
                statistic.append(integrated[peak])
                index.append(i - len(run) + peak)
        run = []
    return statistic, index, stretches


def found_in(outputs, window, reach, cuts=()):
    finder = EventFinder(window, reach)
    for piece in np.split(outputs, sorted(cuts)):
        finder.feed(piece)
    return finder.finish()


@given(SERIES, st.integers(1, 50))
def test_integrate_is_a_causal_mean(outputs, window):
    assert integrate(outputs, window).tolist() == means(outputs, window)


def test_window_of_one_output_changes_nothing():
    outputs = np.random.default_rng(0).normal(size=100)
    np.testing.assert_array_equal(integrate(outputs, 1), outputs)


@pytest.mark.parametrize("window", [3, 7, 8, 13])
def test_equal_windows_have_equal_sums(window):
    """To the last bit, wherever they lie: plateaus stay plateaus."""
    outputs = np.tile(np.random.default_rng(1).normal(size=20), 30)
    integrated = integrate(outputs, window)[20:].reshape(-1, 20)
    assert np.ptp(integrated, axis=0).max() == 0
    assert np.ptp(integrate(np.full(1000, 0.1), window)[window - 1 :]) == 0


@given(SERIES, st.integers(0, 50))
def test_cluster_is_brute_force(values, reach):
    assert cluster(values, reach).tolist() == loudest(values, reach)


@given(
    GAPPED,
    st.integers(1, 20),
    st.integers(0, 20),
    st.lists(st.integers(0, 120), max_size=6),
)
def test_finder_is_the_reference(outputs, window, reach, cuts):
    found = found_in(outputs, window, reach, cuts)
    statistic, index, stretches = reference(outputs, window, reach)
    assert found.statistic.tolist() == statistic
    assert found.index.tolist() == index
    assert found.stretches.tolist() == stretches


@settings(max_examples=50)
@given(
    st.integers(1, 9),
    st.integers(0, 9),
    st.lists(st.integers(0, 300), max_size=9),
    st.lists(st.integers(0, 299), max_size=4),
    st.integers(0, 2**32 - 1),
)
def test_pieces_do_not_matter(window, reach, cuts, gaps, seed):
    """One pass and any pieces agree to the last bit, whatever the blocks."""
    outputs = np.random.default_rng(seed).normal(size=300).astype("f4")
    outputs[gaps] = np.nan
    whole = found_in(outputs, window, reach)
    for block in (3, 64):
        finder = EventFinder(window, reach)
        finder._block = block
        for piece in np.split(outputs, sorted(cuts)):
            finder.feed(piece)
        found = finder.finish()
        for name in ("statistic", "index", "stretches"):
            np.testing.assert_array_equal(
                getattr(found, name), getattr(whole, name)
            )


def test_long_outputs_are_the_reference(monkeypatch):
    monkeypatch.setattr(peaks, "BLOCK", 512)
    rng = np.random.default_rng(3)
    outputs = rng.normal(size=20_000).astype("f4")
    outputs[rng.integers(0, len(outputs), 30)] = np.nan
    found = found_in(outputs, 4, 16, range(0, 20_000, 128))
    statistic, index, stretches = reference(outputs, 4, 16)
    np.testing.assert_array_equal(found.statistic, statistic)
    assert found.index.tolist() == index
    assert found.stretches.tolist() == stretches


def test_little_is_kept(monkeypatch):
    finder = EventFinder(4, 16)
    held = []
    for _ in range(200):
        finder.feed(np.zeros(10_000, np.float32))
        arrays = [finder._tail, finder._values, *finder._waiting]
        held.append(sum(array.nbytes for array in arrays))
    assert max(held) < 4 * (peaks.BLOCK + 10_000) + 1000
    # A plateau makes one event, at its start.
    assert finder.finish().index.tolist() == [0]
