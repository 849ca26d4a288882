from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conventions.errors import UserError

from ledger.injections import (
    BilbyParameterSet,
    InjectionParameterSet,
    WaveformPolarizationSet,
)


@pytest.fixture
def aligned(rng):
    """Binaries that a model without precession can make."""
    columns = {
        name: rng.uniform(0.1, 0.9, 3) for name in BilbyParameterSet.columns()
    }
    columns |= {"mass_1": np.array([60.0, 50, 40]), "mass_2": np.full(3, 30.0)}
    columns |= {"tilt_1": np.zeros(3), "tilt_2": np.zeros(3)}
    return BilbyParameterSet(**columns)


GENERATION = {
    "minimum_frequency": 25.0,
    "reference_frequency": 50.0,
    "sample_rate": 512.0,
    "waveform_duration": 2.0,
    "waveform_approximant": "IMRPhenomD",
    "right_pad": 0.5,
}


def test_polarizations_from_parameters(aligned):
    from waveforms.generation import WaveformGenerator

    # The public order of the arguments.
    table = WaveformPolarizationSet.from_parameters(
        aligned, 25.0, 50.0, 512.0, 2.0, "IMRPhenomD", 0.5
    )
    plus, cross = WaveformGenerator(512.0, 2.0, 0.5, 25.0, 50.0, "IMRPhenomD")(
        aligned
    )
    np.testing.assert_array_equal(table.plus, plus)
    np.testing.assert_array_equal(table.cross, cross)
    assert table.get_waveforms().shape == (3, 2, 1024)
    np.testing.assert_array_equal(table.get_waveforms()[:, 0], cross)
    np.testing.assert_array_equal(table.mass_1, aligned.mass_1)
    assert table.waveform_duration == table.duration == 2
    assert (table.right_pad, table.num_injections) == (0.5, 3)
    # The coalescence is right_pad before the right edge.
    loudest = np.hypot(plus, cross).argmax(axis=1)
    assert (np.abs(loudest - 1.5 * 512) < 0.02 * 512).all()


def test_polarizations_in_parallel(aligned, monkeypatch):
    import waveforms.generation

    monkeypatch.setattr(waveforms.generation, "BATCH", 2)
    make = WaveformPolarizationSet.from_parameters
    with ThreadPoolExecutor(2) as pool:
        parallel = make(aligned, **GENERATION, ex=pool)
    assert parallel == make(aligned, **GENERATION)


def test_polarizations_of_a_larger_table(aligned):
    """What a table has beside the binaries is left behind."""
    columns = {name: getattr(aligned, name) for name in aligned.columns()}
    larger = InjectionParameterSet(
        **columns, snr=np.ones(3), ifo_snrs=np.ones((3, 2)), ifos=["H1", "L1"]
    )
    table = WaveformPolarizationSet.from_parameters(larger, **GENERATION)
    assert len(table) == 3


def test_polarizations_of_nothing():
    table = WaveformPolarizationSet.from_parameters(
        BilbyParameterSet(), **GENERATION
    )
    assert table.plus.shape == (0, 1024)
    assert table.get_waveforms().shape == (0, 2, 1024)
    assert table.waveform_duration == 2


def test_polarizations_need_sensible_values(aligned):
    with pytest.raises(UserError, match="right_pad is 3"):
        WaveformPolarizationSet.from_parameters(
            aligned, **(GENERATION | {"right_pad": 3.0})
        )
