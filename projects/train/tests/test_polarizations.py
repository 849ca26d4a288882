import math
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from conventions.errors import UserError
from train.waveforms.polarizations import (
    APPROXIMANTS,
    Polarizations,
    frequency_before_coalescence,
)

TOLERANCE = {"IMRPhenomD": 2e-3, "IMRPhenomPv2": 1e-2, "TaylorF2": 5e-3}
USUAL = {
    "sample_rate": 512.0,
    "duration": 4.0,
    "right_pad": 0.5,
    "minimum_frequency": 20.0,
    "reference_frequency": 50.0,
}


def polarizations(approximant, **changes):
    return Polarizations(approximant, **USUAL | changes)


def binaries(count, seed=1, **changes):
    """Parameters of all models, by bilby's names, as numpy arrays."""
    rng = np.random.default_rng(seed)
    mass_1 = rng.uniform(10, 80, count)
    values = {
        "mass_1": mass_1,
        "mass_2": mass_1 * rng.uniform(1 / 8, 1, count),
        "theta_jn": np.arccos(rng.uniform(-1, 1, count)),
        "phase": rng.uniform(0, 2 * np.pi, count),
        "a_1": rng.uniform(0, 0.9, count),
        "a_2": rng.uniform(0, 0.9, count),
        "tilt_1": np.arccos(rng.uniform(-1, 1, count)),
        "tilt_2": np.arccos(rng.uniform(-1, 1, count)),
        "phi_12": rng.uniform(0, 2 * np.pi, count),
        "phi_jl": rng.uniform(0, 2 * np.pi, count),
        "redshift": np.full(count, 0.2),
    }
    zero = np.zeros(count)
    return {k: v + zero for k, v in (values | changes).items()}


def as_tensors(values):
    chi = {
        f"chi_{i}": values[f"a_{i}"] * np.cos(values[f"tilt_{i}"])
        for i in (1, 2)
    }
    distance = {
        "luminosity_distance": values.get("distance", 1e3 + 0 * chi["chi_1"])
    }
    every = values | chi | distance
    return {k: torch.from_numpy(v) for k, v in every.items()}


@pytest.fixture
def lal_generator(need):
    """What makes the files of waveforms, with LAL."""
    there = find_spec("lalsimulation") is not None
    need("lal", there, "lalsimulation is not installed")
    from waveforms.generation import WaveformGenerator

    return WaveformGenerator


@pytest.mark.parametrize("approximant", APPROXIMANTS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mass_1": 150.0, "mass_2": 70.0},
        {"mass_1": 1.6, "mass_2": 1.3, "a_1": 0.1, "a_2": 0.0},
        {"mass_1": 30.0, "mass_2": 30.0},
        {"tilt_1": 0.0, "tilt_2": 0.0},
        {"a_1": 0.0, "a_2": 0.0},
    ],
    ids=["random", "heavy", "long", "equal", "aligned", "spinless"],
)
def test_waveforms_are_those_of_lal(lal_generator, approximant, changes):
    from ledger.injections import BilbyParameterSet

    values = binaries(12, **changes)
    if approximant != "IMRPhenomPv2":
        values["tilt_1"], values["tilt_2"] = (
            0 * values["a_1"],
            0 * values["a_1"],
        )
    zero = 0 * values["mass_1"]
    table = BilbyParameterSet(**values, ra=zero, dec=zero, psi=zero)
    expected = np.stack(
        lal_generator(approximant=approximant, **USUAL)(table), axis=1
    )
    tensors = as_tensors(values | {"distance": table.luminosity_distance})
    make = polarizations(approximant)
    found = make(tensors)
    assert found.shape == expected.shape == (12, 2, make.size)
    assert found.dtype == torch.float32
    scale = np.abs(expected).max((1, 2))
    error = np.abs(found.numpy() - expected).max(1) / scale[:, None]
    assert error[:, 256:].max() < TOLERANCE[approximant]
    # where the inspiral is switched on
    assert error.max() < 1e-2


@pytest.mark.parametrize("approximant", APPROXIMANTS)
def test_a_waveform_does_not_depend_on_the_others_of_its_batch(approximant):
    parameters = as_tensors(binaries(6))
    make = polarizations(approximant)
    together = make(parameters)
    for row in range(6):
        alone = make({k: v[row : row + 1] for k, v in parameters.items()})
        torch.testing.assert_close(
            alone[0], together[row], rtol=0, atol=1e-6 * float(alone.max())
        )


@pytest.mark.parametrize("approximant", ["IMRPhenomD", "IMRPhenomPv2"])
def test_coalescence_is_where_it_is_said_to_be(approximant):
    make = polarizations(approximant, right_pad=1.25)
    parameters = as_tensors(binaries(8, a_1=0.0, a_2=0.0))
    power = make(parameters).square().sum(1)
    assert make.coalescence == (4 - 1.25) * 512
    late = (power.argmax(-1) - make.coalescence).abs() / 512
    assert late.max() < 0.02


def test_parameters_at_the_edge_give_numbers():
    close = 1 - 10.0 ** np.linspace(-16, -6, 200)
    values = binaries(200, mass_1=30.0, mass_2=30 * close)
    values["theta_jn"][::3] = 0
    values["theta_jn"][1::3] = np.pi
    values["tilt_1"][::2] = np.pi
    values["a_2"][::5] = 0
    small = {"sample_rate": 64.0, "duration": 1.0, "right_pad": 0.1}
    for approximant in APPROXIMANTS:
        found = polarizations(approximant, **small)(as_tensors(values))
        assert torch.isfinite(found).all()
        assert (found.abs().amax((1, 2)) > 0).all()


def test_no_binaries():
    make = polarizations("IMRPhenomD")
    assert make(as_tensors(binaries(0))).shape == (0, 2, 2048)


def test_leading_order_of_the_inspiral():
    """GW150914's chirp mass of 30 is at 29 Hz 0.2 s before it merges."""
    f = frequency_before_coalescence(0.2, torch.tensor([30.0]))
    seconds = 30 * 4.925491e-6
    time = 5 / 256 * seconds ** (-5 / 3) * (math.pi * float(f)) ** (-8 / 3)
    assert time == pytest.approx(0.2, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"approximant": "SEOBNRv4"}, "'SEOBNRv4' is not one of IMRPhenomD"),
        ({"duration": 4.001}, "waveform_duration: 4.001 s is 2048.51 samples"),
        ({"right_pad": 4.0}, "right_pad: 4.0 s must be at least 0 and less"),
        ({"minimum_frequency": 256}, "minimum_frequency: 256 Hz must lie"),
        ({"reference_frequency": 0}, "reference_frequency: 0 Hz must be"),
    ],
)
def test_settings_out_of_range(changes, message):
    with pytest.raises(UserError, match=message):
        Polarizations(**{"approximant": "TaylorF2"} | USUAL | changes)
