import itertools
import math

import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st

from aframe.timeslides import (
    Placement,
    Timeslides,
    grouped,
    shifts_for_signals,
)

SLIDES = Timeslides(shifts=(0, 1), psd_length=64, inference_sampling_rate=4)


@st.composite
def segment_lists(draw):
    gaps_and_lengths = draw(
        st.lists(
            st.tuples(st.integers(0, 1000), st.integers(1, 5000)),
            min_size=1,
            max_size=8,
        )
    )
    segments, stop = [], 1_240_000_000
    for gap, length in gaps_and_lengths:
        start, stop = stop + gap, stop + gap + length
        segments.append((start, stop))
    return segments


@st.composite
def timeslides(draw):
    shifts = draw(
        st.lists(st.integers(0, 20), min_size=2, max_size=3, unique=True)
    )
    return Timeslides(
        tuple(shifts),
        draw(st.sampled_from([0, 8, 64])),
        draw(st.sampled_from([1, 4, 16])),
    )


def brute_force(slides, segments, index):
    """Count outputs one by one."""
    total = 0
    for start, stop in segments:
        shifted = stop - start - index * max(slides.shifts)
        outputs = math.floor(shifted * slides.inference_sampling_rate)
        burn_in = slides.psd_length * slides.inference_sampling_rate
        total += max(outputs - burn_in, 0)
    return total / slides.inference_sampling_rate


@given(timeslides(), segment_lists(), st.integers(0, 30))
def test_livetime_counts_outputs_of_every_segment(slides, segments, index):
    expected = brute_force(slides, segments, index)
    assert slides.background(segments, index) == pytest.approx(expected)


@given(timeslides(), segment_lists(), st.floats(1, 1e6))
def test_shifts_required_is_the_smallest_or_says_what_is_reachable(
    slides, segments, wanted
):
    reachable = [
        brute_force(slides, segments, index) for index in range(1, 5001)
    ]
    if sum(reachable) < wanted:
        with pytest.raises(UserError, match=f"{sum(reachable):g} s in all"):
            slides.shifts_required(segments, wanted)
        return
    count = slides.shifts_required(segments, wanted)
    assert math.fsum(reachable[:count]) >= wanted
    assert math.fsum(reachable[: count - 1]) < wanted


def test_loss_is_counted_once_for_each_segment():
    split = [(0, 1000), (1000, 2000)]
    assert SLIDES.background([(0, 2000)], 3) == 2000 - 64 - 3
    assert SLIDES.background(split, 3) == 2 * (1000 - 64 - 3)


@given(timeslides(), segment_lists(), st.integers(0, 10), st.booleans())
def test_plan_is_every_analysable_pair(slides, segments, count, zero_lag):
    plan = slides.plan(segments, count, zero_lag=zero_lag)
    expected = {
        (number, index)
        for number, (start, stop) in enumerate(segments)
        for index in range(0 if zero_lag else 1, count + 1)
        if stop - start - index * max(slides.shifts) > slides.psd_length
    }
    base = max(slides.shifts)
    found = [(slide.index, max(slide.shifts) / base) for slide in plan]
    assert len(found) == len(expected)
    assert set(found) == expected
    for slide in plan:
        assert (slide.start, slide.stop) == segments[slide.index]
        assert slide.is_zero_lag == (not any(slide.shifts))


@pytest.mark.parametrize(
    "shifts", [(), (1,), (0, 0), (1, 1, 2), (-1, 0)], ids=str
)
def test_multiples_that_shift_nothing_are_refused(shifts):
    with pytest.raises(UserError, match="shifts"):
        Timeslides(shifts, 64, 4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((("0", "1"), 64, 4), r"shifts: \['0', '1'\] must give"),
        (((0, math.nan), 64, 4), "shifts"),
        (((0, 1), -1, 4), "psd_length: -1 is not .* at least 0 s"),
        (((0, 1), 64, 0), "inference_sampling_rate: 0 is not .* 0 Hz"),
        (((0, 1), 64, -4.0), "inference_sampling_rate: -4.0"),
        (((0, 1), 64, math.inf), "inference_sampling_rate: inf"),
    ],
    ids=str,
)
def test_values_without_meaning_are_refused(values, message):
    with pytest.raises(UserError, match=message):
        Timeslides(*values)


@pytest.mark.parametrize("wanted", [0, -1.0, math.nan, math.inf])
def test_a_livetime_is_positive(wanted):
    with pytest.raises(UserError, match=f"Tb: {wanted} is not accepted"):
        SLIDES.shifts_required([(0, 999)], wanted)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((-1, 0, 8), "spacing: -1"),
        ((0, -1, 8), "buffer: -1"),
        ((0, 0, 0), "waveform_duration: 0 is not .* more than 0 s"),
        ((-8, 0, 8), "spacing: -8"),
    ],
    ids=str,
)
def test_waveforms_follow_each_other(values, message):
    with pytest.raises(UserError, match=message):
        Placement(*values)


@pytest.mark.parametrize("wanted", [0, -5])
def test_signals_are_wanted(wanted):
    with pytest.raises(UserError, match=f"num_signals: {wanted} is not"):
        shifts_for_signals(SLIDES, Placement(16, 16, 8), [(0, 999)], wanted)


def test_unreachable_livetime_names_what_is_reachable():
    with pytest.raises(UserError, match=r"5 s in all"):
        Timeslides((0, 30), 64, 4).shifts_required([(0, 99)], 100)


@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(1, 20),
    st.integers(0, 3000),
)
def test_placement_counts_times(spacing, buffer, duration, span):
    time, count = buffer + duration / 2, 0
    while time <= span - buffer - duration / 2:
        time += spacing + duration
        count += 1
    assert Placement(spacing, buffer, duration).count(span) == count


def test_placement_exactly():
    placement = Placement(spacing=16, buffer=16, duration=8)
    assert [placement.count(s) for s in (39, 40, 63, 64)] == [0, 1, 1, 2]


@given(segment_lists(), st.integers(1, 3000))
def test_signals_fit_or_the_room_is_named(segments, wanted):
    placement = Placement(16, 16, 8)

    def room(index):
        return sum(placement.count(b - a - index - 64) for a, b in segments)

    longest = max(b - a for a, b in segments)
    if sum(map(room, range(1, longest + 1))) < wanted:
        with pytest.raises(UserError, match="do not fit"):
            shifts_for_signals(SLIDES, placement, segments, wanted)
        return
    count = shifts_for_signals(SLIDES, placement, segments, wanted)
    assert sum(map(room, range(1, count + 1))) >= wanted
    assert sum(map(room, range(1, count))) < wanted


@given(timeslides(), segment_lists(), st.integers(1, 9), st.booleans())
def test_groups_are_the_plan_cut_at_segments(slides, segments, size, zero_lag):
    plan = slides.plan(segments, 7, zero_lag=zero_lag)
    groups = grouped(plan, size)
    assert [slide for group in groups for slide in group] == plan
    for group in groups:
        assert 1 <= len(group) <= size
        assert len({slide.index for slide in group}) == 1
    for one, other in itertools.pairwise(groups):
        assert len(one) == size or one[0].index != other[0].index


def test_a_group_has_at_least_one_slide():
    with pytest.raises(UserError, match="slides_per_branch: 0"):
        grouped([], 0)
