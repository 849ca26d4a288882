import numpy as np
import pytest
from conventions.errors import UserError
from infer.search.strain import Series
from infer.search.stretches import gapless

IFOS = ("H1", "L1")
START = 1_000_000_000


def series(ifo, seconds=8.0, start=START, rate=1024.0, source="file"):
    seed = [ord(letter) for letter in ifo]
    strain = np.random.default_rng(seed).normal(size=int(seconds * rate))
    return Series(ifo, float(start), rate, strain, source)


def spans(stretches):
    return [(s.start - START, s.stop - START) for s in stretches]


def test_whole_files_are_one_stretch_in_channel_order():
    h1, l1 = series("H1"), series("L1")
    (stretch,) = gapless([l1, h1], IFOS, 1024.0)
    assert spans([stretch]) == [(0, 8)]
    np.testing.assert_array_equal(stretch.strain, [h1.strain, l1.strain])


def test_files_are_intersected_in_time():
    h1, l1 = series("H1", 8, START), series("L1", 8, START + 3)
    (stretch,) = gapless([h1, l1], IFOS, 1024.0)
    assert spans([stretch]) == [(3, 8)]
    np.testing.assert_array_equal(stretch.strain[0], h1.strain[3 * 1024 :])
    np.testing.assert_array_equal(stretch.strain[1], l1.strain[: 5 * 1024])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_gap_in_one_ifo_is_a_gap_in_all(value):
    h1, l1 = series("H1"), series("L1")
    h1.strain[2 * 1024 : 3 * 1024] = value
    l1.strain[5 * 1024] = value
    stretches = gapless([h1, l1], IFOS, 1024.0)
    sample = 1 / 1024
    assert spans(stretches) == [(0, 2), (3, 5), (5 + sample, 8)]
    assert all(np.isfinite(s.strain).all() for s in stretches)


def test_strain_that_stands_still_is_a_gap():
    h1, l1 = series("H1"), series("L1")
    h1.strain[2048:3072] = 0.0
    l1.strain[100:110] = 1.0
    assert spans(gapless([h1, l1], IFOS, 1024.0)) == [(0, 2), (3, 8)]


def test_filter_near_a_gap_is_left_out():
    h1, l1 = series("H1", rate=4096.0), series("L1")
    clean = gapless([h1, l1], IFOS, 1024.0)[0]
    h1.strain[4 * 4096] = np.nan
    before, after = gapless([h1, l1], IFOS, 1024.0)
    assert before.stop < START + 4 - 0.04
    assert after.start > START + 4 + 0.04
    for part in before, after:
        first = round((part.start - clean.start) * 1024)
        expected = clean.strain[:, first : first + part.strain.shape[1]]
        np.testing.assert_allclose(part.strain, expected, atol=1e-12)


def test_consecutive_files_are_joined_and_others_are_not():
    whole = series("H1", 8)
    parts = [
        Series("H1", START + a, 1024.0, whole.strain[a * 1024 : b * 1024], "")
        for a, b in [(6, 8), (0, 2), (2, 4)]
    ]
    first, second = gapless([*parts, series("L1")], IFOS, 1024.0)
    assert spans([first, second]) == [(0, 4), (6, 8)]
    np.testing.assert_array_equal(first.strain[0], whole.strain[: 4 * 1024])


def test_rates_may_differ_and_samples_stay_simultaneous():
    time = np.arange(8 * 16384) / 16384
    both = [
        Series("H1", START, 16384.0, np.sin(200 * time), "h"),
        Series("L1", START, 4096.0, np.sin(200 * time[::4]), "l"),
    ]
    (stretch,) = gapless(both, IFOS, 2048.0)
    np.testing.assert_allclose(*stretch.strain, atol=1e-4)
    at = stretch.start - START + np.arange(stretch.strain.shape[1]) / 2048
    np.testing.assert_allclose(stretch.strain[0], np.sin(200 * at), atol=1e-4)


def test_no_common_time_is_an_error_with_both_spans():
    with pytest.raises(UserError, match=r"H1 from 1000000000.*L1 from 100000"):
        gapless([series("H1"), series("L1", 8, START + 9)], IFOS, 1024.0)
    empty = series("L1")
    empty.strain[:] = np.nan
    with pytest.raises(UserError, match=r"L1 .*\(0\.000 s of data\)"):
        gapless([series("H1"), empty], IFOS, 1024.0)


def test_errors_name_the_file():
    with pytest.raises(UserError, match=r"a\.hdf5 and b\.hdf5 overlap"):
        gapless(
            [
                series("H1", source="a.hdf5"),
                series("H1", start=START + 7, source="b.hdf5"),
                series("L1"),
            ],
            IFOS,
            1024.0,
        )
    with pytest.raises(UserError, match=r"low\.hdf5: a sample rate of 512"):
        gapless(
            [series("H1", rate=512.0, source="low.hdf5"), series("L1")],
            IFOS,
            1024.0,
        )
    with pytest.raises(UserError, match=r"odd\.hdf5.*off the grid"):
        gapless(
            [series("H1", start=START + 0.3, source="odd.hdf5")],
            ("H1",),
            1024.0,
        )


def test_stretches_start_on_whole_steps():
    h1, l1 = series("H1"), series("L1")
    h1.strain[:10] = np.nan
    h1.strain[4 * 1024 : 4 * 1024 + 10] = np.nan
    h1.strain[-10] = np.nan
    parts = gapless([h1, l1], IFOS, 1024.0, step=256)
    # The last 9 samples hold no multiple of 256.
    assert [s.start - START for s in parts] == [0.25, 4.25]
    np.testing.assert_array_equal(parts[0].strain[0], h1.strain[256:4096])
