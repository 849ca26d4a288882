import dataclasses

import h5py
import numpy as np
import pytest
from conventions.errors import UserError
from infer.injections import SlideInjections

SHIFTS = [0.0, 2.0]


@pytest.fixture
def settings(manifest):
    return manifest.preprocessing


@pytest.fixture
def signals(tiny, tmp_path):
    """Of two shifts, in any order, some beyond the segment."""
    parts = [
        tiny.signals([tiny.start + t for t in times], shifts)
        for times, shifts in (
            ([11.9, 0.2, 12.1, 4.0, 18.3, -0.1, 20.0], SHIFTS),
            ([5.0, 8.0], [0.0, 4.0]),
            ([7.0], SHIFTS),
        )
    ]
    made = type(parts[0]).concatenate(parts)
    scale = np.arange(1.0, 1 + len(made))[:, None]
    made = dataclasses.replace(made, h1=made.h1 * scale, l1=made.l1 / scale)
    made.write(tmp_path / "signals.hdf5")
    return made


@pytest.fixture
def injections(tiny, signals, settings, tmp_path):
    with SlideInjections(
        tmp_path / "signals.hdf5",
        settings,
        tiny.start,
        tiny.start + 20.0,
        SHIFTS,
    ) as opened:
        yield opened


def test_sum_is_that_of_the_table(tiny, signals, injections):
    mine = [11.9, 0.2, 12.1, 4.0, 18.3, 7.0]
    times = injections.parameters.injection_time - tiny.start
    np.testing.assert_allclose(times, mine, atol=1e-6)
    assert injections.parameters.num_injections == len(injections) == 6
    chosen = signals[[0, 1, 2, 3, 4, 9]]
    rng = np.random.default_rng(0)
    for size in (100, 900, 5120):
        for begin in rng.integers(-300, 5120, 20):
            start = tiny.start + begin / 256
            x = 1e-21 * rng.normal(size=(2, size))
            expected = chosen.inject(x, start)
            np.testing.assert_array_equal(
                injections.inject(x, start), expected
            )


def test_few_waveforms_are_kept(tiny, injections):
    x = np.zeros((2, 512))
    held = []
    for begin in range(0, 5120, 512):
        injections.inject(x, tiny.start + begin / 256)
        held.append(len(injections._loaded))
    assert max(held) == 2
    assert not x.any()


def test_shift_without_signals(tiny, signals, settings, tmp_path):
    with SlideInjections(
        tmp_path / "signals.hdf5", settings, tiny.start, 2e9, [0.0, 9.0]
    ) as none:
        assert len(none) == none.parameters.num_injections == 0
        x = np.ones((2, 9))
        assert none.inject(x, tiny.start) is x


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"sample_rate": 512.0, "duration": 1.0},
            r"256 Hz expected.*have 512",
        ),
        ({"ifos": ["L1", "H1"]}, "ifos: .*H1.*L1.* expected"),
    ],
)
def test_injections_of_something_else(
    tiny, signals, settings, tmp_path, changes, message
):
    if "ifos" in changes:
        changes = changes | {"h1": signals.l1, "l1": signals.h1}
    path = tmp_path / "other.hdf5"
    signals.write(path)
    with h5py.File(path, "a") as file:
        for name in ("sample_rate", "duration", "ifos"):
            if name in changes:
                file.attrs[name] = changes[name]
    with pytest.raises(UserError, match=message):
        SlideInjections(path, settings, tiny.start, tiny.start + 20, SHIFTS)


def test_missing_file_or_waveforms(tiny, signals, settings, tmp_path):
    span = tiny.start, tiny.start + 20
    with pytest.raises(UserError, match=r"none\.hdf5"):
        SlideInjections(tmp_path / "none.hdf5", settings, *span, SHIFTS)
    path = tmp_path / "signals.hdf5"
    with h5py.File(path, "a") as file:
        del file["waveforms/l1"]
    with pytest.raises(UserError, match="waveforms/l1"):
        SlideInjections(path, settings, *span, SHIFTS)
