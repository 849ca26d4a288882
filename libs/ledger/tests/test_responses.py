from itertools import pairwise

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from hypothesis import given
from hypothesis import strategies as st

from ledger import storage
from ledger.injections import InterferometerResponseSet
from ledger.testing import response_sets

GPS = 1_126_259_462.0


def impulses(make_responses, times, rate=16.0, duration=4.0, right_pad=1.0):
    """Make waveforms that are 1 at the coalescence in H1, 2 in L1."""
    size = round(duration * rate)
    marks = np.zeros((len(times), size), np.float32)
    marks[:, size - round(right_pad * rate)] = 1
    return make_responses(
        len(times),
        rate,
        duration,
        right_pad,
        injection_time=np.array(times, dtype=float),
        h1=marks,
        l1=2 * marks,
    )


def test_get_times_is_half_open(make_responses):
    table = make_responses(3, injection_time=np.array([10.0, 20.0, 30.0]))
    assert table.get_times(10, 30).injection_time.tolist() == [10, 20]
    assert table.get_times(start=20).injection_time.tolist() == [20, 30]
    assert table.get_times(end=20).injection_time.tolist() == [10]
    with pytest.raises(UserError, match="start, an end, or both"):
        table.get_times()


def test_inject_puts_the_coalescence_on_the_nearest_sample(make_responses):
    table = impulses(make_responses, [GPS + 3 + 0.4 / 16, GPS + 5 - 0.4 / 16])
    x = np.zeros((2, 160))
    y = table.inject(x, GPS)
    assert np.flatnonzero(y[0]).tolist() == [48, 80]
    np.testing.assert_array_equal(y[1], 2 * y[0])
    assert not x.any()


@pytest.mark.parametrize("time", [-0.5, 0.0, 9.9375, 10.5, 12.5])
def test_signals_across_either_edge(make_responses, time):
    """Paddings exchanged would lose the part that lies in the data."""
    table = impulses(make_responses, [GPS + time])
    waveform = np.arange(1, 65, dtype=np.float32)[None]
    table.h1 = table.l1 = waveform
    y = table.inject(np.zeros((2, 160)), GPS)
    expected = np.zeros(160 + 2 * 80)
    first = 80 + round(time * 16) - 48
    expected[first : first + 64] = waveform[0]
    np.testing.assert_array_equal(y[0], expected[80:240])
    assert y.any()


@pytest.mark.parametrize("time", [-1.0, -100.0, 13.0, 100.0])
def test_signals_outside_leave_the_data_alone(make_responses, time):
    table = impulses(make_responses, [GPS + time])
    table.h1 = table.l1 = np.ones((1, 64), np.float32)
    x = np.ones((2, 160))
    y = table.inject(x, GPS)
    np.testing.assert_array_equal(y, x)
    assert y is not x


def test_waveform_longer_than_the_data(make_responses):
    table = impulses(make_responses, [GPS])
    table.h1 = np.arange(64, dtype=np.float32)[None]
    y = table.inject(np.zeros((2, 5)), GPS)
    assert y[0].tolist() == [48, 49, 50, 51, 52]


def test_overlapping_signals_add(make_responses):
    table = impulses(make_responses, [GPS + 4, GPS + 4, GPS + 4])
    y = table.inject(np.ones((2, 160)), GPS)
    assert y[:, 64].tolist() == [4, 7]
    assert y.sum() == 320 + 9


def test_inject_keeps_dtype_and_copies(make_responses):
    table = impulses(make_responses, [GPS + 4])
    for dtype in (np.float32, np.float64):
        x = np.zeros((2, 160), dtype)
        assert table.inject(x, GPS).dtype == dtype
        assert not x.any()
    empty = table[:0].inject(x, GPS)
    assert empty is not x
    np.testing.assert_array_equal(empty, x)


def test_inject_into_other_channels(make_responses):
    table = make_responses(1)
    for x in (np.zeros((3, 9)), np.zeros(9)):
        with pytest.raises(UserError, match="cannot take the waveforms of h1"):
            table.inject(x, 0)
    table.right_pad = None
    with pytest.raises(UserError, match="no right_pad"):
        table.inject(np.zeros((2, 9)), 0)
    with pytest.raises(UserError, match="has no waveforms"):
        InterferometerResponseSet().inject(np.zeros((2, 9)), 0)


@given(
    response_sets(),
    st.lists(st.integers(1, 1599), max_size=10),
    st.sampled_from([0.0, GPS, GPS + 0.3]),
)
def test_inject_in_batches_equals_one_pass(table, cuts, start):
    table.injection_time = table.injection_time + start
    x = np.arange(2 * 1600.0).reshape(2, 1600)
    whole = table.inject(x, start)
    edges = [0, *sorted(set(cuts)), 1600]
    batches = [
        table.inject(x[:, i:j], start + i / 16) for i, j in pairwise(edges)
    ]
    np.testing.assert_array_equal(np.concatenate(batches, axis=1), whole)
    brute = np.pad(x, ((0, 0), (64, 64)))
    for row in range(len(table)):
        offset = table.injection_time[row] - start
        first = 64 + int(np.floor(offset * 16 + 0.5))
        first -= 64 - round(table.right_pad * 16)
        brute[:, first : first + 64] += table.waveforms[row]
    if start != GPS + 0.3:
        np.testing.assert_array_equal(whole, brute[:, 64:-64])


@given(
    response_sets(duration=20.0),
    st.lists(st.integers(1, 319), max_size=10),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_batches_are_the_same_to_the_last_bit(table, cuts, dtype, seed):
    """Sums of real numbers depend on their order, so it is always one."""
    rng = np.random.default_rng(seed)
    for name in table.waveform_fields:
        shape = getattr(table, name).shape
        setattr(table, name, rng.normal(size=shape).astype(np.float32))
    table.injection_time = table.injection_time + GPS
    x = rng.normal(size=(2, 320)).astype(dtype)
    whole = table.inject(x, GPS)
    edges = [0, *sorted(set(cuts)), 320]
    batches = [
        table.inject(x[:, i:j], GPS + i / 16) for i, j in pairwise(edges)
    ]
    assert np.concatenate(batches, axis=1).tobytes() == whole.tobytes()
    half = len(table) // 2
    in_turn = table[half:].inject(table[:half].inject(x, GPS), GPS)
    assert in_turn.tobytes() == whole.tobytes()


@given(
    response_sets(),
    st.floats(0, 100),
    st.floats(0, 50),
    st.integers(1, 3),
)
def test_reading_a_selection_is_enough_to_inject(
    tmp_path_factory, table, start, duration, shift
):
    path = tmp_path_factory.mktemp("read") / "a.hdf5"
    table.write(path)
    shifts = [0.0, float(shift)]
    end = start + duration
    some = type(table).read(path, start, end, shifts)
    assert len(some) <= len(table)
    assert some.num_injections == table.num_injections
    np.testing.assert_array_equal(some.shift, some.shift * 0 + shifts)
    x = np.zeros((2, int(16 * duration)))
    np.testing.assert_array_equal(
        some.inject(x, start), table.get_shift(shifts).inject(x, start)
    )
    near = table.get_shift(shifts).get_times(start - 5, end + 5)
    assert len(some) <= len(near)


def test_read_by_time_or_shift_alone(tmp_path, make_responses):
    path = tmp_path / "a.hdf5"
    table = make_responses(
        4,
        injection_time=np.array([10.0, 20.0, 30.0, 40.0]),
        shift=np.array([[0, 1.0], [0, 2], [0, 3], [0, 1]]),
    )
    table.write(path)
    cls = type(table)
    assert cls.read(path) == table
    assert cls.read(path, start=25).injection_time.tolist() == [30, 40]
    assert cls.read(path, end=15).injection_time.tolist() == [10]
    # Waveforms end 1 s after and begin 3 s before the coalescence.
    assert len(cls.read(path, start=21.2)) == 2
    assert len(cls.read(path, start=20.9, end=26.9)) == 1
    assert len(cls.read(path, start=20.9, end=27.1)) == 2
    both = cls.read(path, shifts=[[0, 1], [0, 3]])
    assert both.injection_time.tolist() == [10, 30, 40]
    assert len(cls.read(path, shifts=[0, 9])) == 0
    with pytest.raises(UserError, match="for 3 and for 2 interferometers"):
        cls.read(path, shifts=[0, 1, 2])


def test_only_the_selection_is_read(tmp_path, make_responses, monkeypatch):
    path = tmp_path / "a.hdf5"
    table = make_responses(50, injection_time=np.arange(50) * 10.0)
    table.write(path)
    read = []
    plain_getitem = h5py.Dataset.__getitem__

    def spy(dataset, key, **kwargs):
        result = plain_getitem(dataset, key, **kwargs)
        if "waveforms" in dataset.name:
            read.append(result.shape[0])
        return result

    monkeypatch.setattr(h5py.Dataset, "__getitem__", spy)
    monkeypatch.setattr(storage, "_GAP_BYTES", 0)
    assert len(type(table).read(path, 95.0, 125.0)) == 3
    assert read == [3, 3]


def test_selection_of_a_file_without_padding(tmp_path, make_responses):
    path = tmp_path / "a.hdf5"
    table = make_responses(2)
    table.write(path)
    with h5py.File(path, "a") as file:
        del file.attrs["right_pad"]
    with pytest.raises(UserError, match=r"a\.hdf5: no root attribute right"):
        type(table).read(path, start=0)


def test_parameters_are_read_without_waveforms(tmp_path, make_responses):
    path = tmp_path / "a.hdf5"
    table = make_responses(3)
    table.write(path)
    read = InterferometerResponseSet.read(path)
    assert read.waveform_fields == []
    np.testing.assert_array_equal(read.snr, table.snr)
    assert (read.ifos, read.right_pad) == (["H1", "L1"], 1.0)
