import numpy as np
import pytest
from conventions.errors import UserError

from ledger.injections import (
    InjectionMetadata,
    InterferometerResponseSet,
    WaveformPolarizationSet,
    WaveformSet,
    waveform_class_factory,
)


def test_more_rows_than_injections():
    with pytest.raises(UserError, match="num_injections is 1, fewer than"):
        WaveformPolarizationSet(
            **{
                name: np.ones(2) if kind == "parameter" else np.ones((2, 4))
                for name, kind in WaveformPolarizationSet.columns().items()
            },
            sample_rate=4,
            duration=1,
            num_injections=1,
        )


def test_waveforms_have_the_stated_duration(make_responses):
    with pytest.raises(UserError, match=r"waveforms h1 have shape \(2, 9\)"):
        make_responses(2, h1=np.zeros((2, 9)))
    with pytest.raises(UserError, match=r"shape \(2,\)"):
        make_responses(2, l1=np.zeros(2))


def test_waveforms_need_a_sample_rate():
    with pytest.raises(UserError, match=r"sample_rate \(is None\)"):
        WaveformPolarizationSet(
            **{
                name: np.ones(2) if kind == "parameter" else np.ones((2, 4))
                for name, kind in WaveformPolarizationSet.columns().items()
            },
            num_injections=2,
        )


def test_num_injections_adds(make_responses):
    table = make_responses(2)
    table.append(make_responses(3))
    assert table.num_injections == 2 + 7 + 3 + 7
    assert type(table.num_injections) is int
    assert InjectionMetadata(num_injections=5.0).num_injections == 5


def test_channel_order_is_that_of_the_ifos(make_responses):
    table = make_responses(2)
    cls = waveform_class_factory(["L1", "H1"], WaveformSet, "Turned")
    assert cls.__name__ == "Turned"
    assert cls().waveform_fields == ["l1", "h1"]
    columns = {name: getattr(table, name) for name in cls.columns()}
    with pytest.raises(UserError, match=r"\['l1', 'h1'\], but ifos is \['H1"):
        cls(
            **columns,
            sample_rate=16,
            duration=4,
            num_injections=2,
            ifos=["H1", "L1"],
        )
    turned = cls(**columns, sample_rate=16, duration=4, num_injections=2)
    np.testing.assert_array_equal(turned.waveforms[:, 0], table.l1)


def test_factory_refuses_an_ifo_twice():
    with pytest.raises(UserError, match="twice"):
        waveform_class_factory(["H1", "h1"], WaveformSet, "Twice")


def test_waveforms_are_stacked(make_responses):
    table = make_responses(3)
    assert table.waveforms.shape == (3, 2, 64)
    assert table.waveforms.dtype == np.float32
    np.testing.assert_array_equal(table.waveforms[:, 1], table.l1)
    with pytest.raises(UserError, match="waveform_class_factory"):
        _ = InterferometerResponseSet().waveforms
