import numpy as np
import pytest

from ledger.injections import (
    BilbyParameterSet,
    InjectionParameterSet,
    LALParameterSet,
    chirp_mass,
)
from ledger.spins import to_angles, to_cartesian

FREQUENCY = 20.0


@pytest.fixture
def binaries(rng):
    count = 300
    mass = np.sort(rng.uniform(5, 60, (2, count)), axis=0)
    return BilbyParameterSet(
        mass_1=mass[1],
        mass_2=mass[0],
        a_1=rng.uniform(0.01, 0.99, count),
        a_2=rng.uniform(0.01, 0.99, count),
        tilt_1=np.arccos(rng.uniform(-1, 1, count)),
        tilt_2=np.arccos(rng.uniform(-1, 1, count)),
        phi_12=rng.uniform(0, 2 * np.pi, count),
        phi_jl=rng.uniform(0, 2 * np.pi, count),
        ra=rng.uniform(0, 2 * np.pi, count),
        dec=np.arcsin(rng.uniform(-1, 1, count)),
        redshift=rng.uniform(0.01, 2, count),
        psi=rng.uniform(0, np.pi, count),
        theta_jn=np.arccos(rng.uniform(-1, 1, count)),
        phase=rng.uniform(0, 2 * np.pi, count),
    )


def difference(one, two, name):
    """Compare angles on the circle where they are azimuths."""
    gap = np.abs(np.asarray(one) - two)
    if name.startswith("ph"):
        gap = np.minimum(gap, 2 * np.pi - gap)
    return gap.max(initial=0)


def test_masses_against_bilby(binaries):
    from bilby.gw import conversion

    m1, m2 = binaries.mass_1, binaries.mass_2
    np.testing.assert_allclose(
        binaries.chirp_mass,
        conversion.component_masses_to_chirp_mass(m1, m2),
        rtol=1e-14,
    )
    np.testing.assert_array_equal(binaries.total_mass, m1 + m2)
    np.testing.assert_array_equal(binaries.mass_ratio, m2 / m1)
    assert (binaries.mass_ratio <= 1).all()
    assert chirp_mass(30.0, 30.0) == pytest.approx(30 / 2**0.2)


def test_source_masses(binaries):
    factor = 1 + binaries.redshift
    np.testing.assert_allclose(
        binaries.mass_1_source * factor, binaries.mass_1
    )
    np.testing.assert_allclose(
        binaries.mass_2_source * factor, binaries.mass_2
    )
    assert hasattr(InjectionParameterSet(), "mass_1_source")


@pytest.mark.parametrize("rows", [slice(0, 0), slice(0, 1), slice(0, 9)])
def test_derived_properties_have_the_tables_length(binaries, rows):
    some = binaries[rows]
    for name in (
        "chirp_mass",
        "total_mass",
        "mass_ratio",
        "mass_1_source",
        "mass_2_source",
        "luminosity_distance",
    ):
        assert getattr(some, name).shape == (len(some),)
    lal_set = some.convert_to_lal_param_set(FREQUENCY)
    assert lal_set.redshift.shape == (len(some),)


def test_spins_against_lal(binaries):
    import lal
    import lalsimulation

    lal_set = binaries.convert_to_lal_param_set(FREQUENCY)
    for row, binary in enumerate(binaries):
        expected = (
            lalsimulation.SimInspiralTransformPrecessingNewInitialConditions(
                *(
                    float(binary[name])
                    for name in (
                        *("theta_jn", "phi_jl", "tilt_1", "tilt_2"),
                        *("phi_12", "a_1", "a_2"),
                    )
                ),
                float(binary["mass_1"]) * lal.MSUN_SI,
                float(binary["mass_2"]) * lal.MSUN_SI,
                FREQUENCY,
                float(binary["phase"]),
            )
        )
        names = ["inclination"]
        names += [f"spin{i}{x}" for i in "12" for x in "xyz"]
        ours = [getattr(lal_set, name)[row] for name in names]
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-9)


def test_angles_against_lal(binaries):
    import lalsimulation

    lal_set = binaries.convert_to_lal_param_set(FREQUENCY)
    back = lal_set.convert_to_bilby_param_set(FREQUENCY)
    for row, binary in enumerate(lal_set):
        expected = lalsimulation.SimInspiralTransformPrecessingWvf2PE(
            float(binary["inclination"]),
            *(float(binary[f"spin{i}{x}"]) for i in "12" for x in "xyz"),
            float(binary["mass1"]),
            float(binary["mass2"]),
            FREQUENCY,
            float(binary["phase"]),
        )
        names = ("theta_jn", "phi_jl", "tilt_1", "tilt_2", "phi_12")
        for name, value in zip(names, expected[:5], strict=True):
            ours = getattr(back, name)[row]
            # LAL's arc cosines lose half of the digits near 0 and pi.
            assert difference([ours], value, name) < 1e-6


def test_round_trip(binaries):
    lal_set = binaries.convert_to_lal_param_set(FREQUENCY)
    back = lal_set.convert_to_bilby_param_set(FREQUENCY)
    for name in binaries.columns():
        value = getattr(binaries, name)
        assert difference(getattr(back, name), value, name) < 1e-9, name
    again = back.convert_to_lal_param_set(FREQUENCY)
    for name in lal_set.columns():
        np.testing.assert_allclose(
            getattr(again, name), getattr(lal_set, name), atol=1e-9
        )


def test_reference_frequency_matters_and_can_differ_by_row(binaries):
    low = binaries.convert_to_lal_param_set(FREQUENCY)
    high = binaries.convert_to_lal_param_set(2 * FREQUENCY)
    mixed = binaries.convert_to_lal_param_set(
        np.where(np.arange(len(binaries)) % 2, FREQUENCY, 2 * FREQUENCY)
    )
    assert np.abs(low.inclination - high.inclination).max() > 1e-3
    np.testing.assert_array_equal(
        mixed.inclination[1::2], low.inclination[1::2]
    )
    np.testing.assert_array_equal(
        mixed.inclination[::2], high.inclination[::2]
    )


@pytest.mark.parametrize("tilt", [0.0, np.pi])
def test_aligned_spins(binaries, tilt):
    count = len(binaries)
    binaries.tilt_1 = binaries.tilt_2 = np.full(count, tilt)
    # So that the orbital momentum always outweighs the spins.
    binaries.mass_2 = binaries.mass_1
    lal_set = binaries.convert_to_lal_param_set(FREQUENCY)
    np.testing.assert_allclose(
        lal_set.spin1z, np.cos(tilt) * binaries.a_1, atol=1e-12
    )
    np.testing.assert_allclose(lal_set.spin1x, 0, atol=1e-12)
    np.testing.assert_allclose(
        lal_set.inclination, binaries.theta_jn, atol=1e-12
    )
    back = lal_set.convert_to_bilby_param_set(FREQUENCY)
    np.testing.assert_allclose(back.theta_jn, binaries.theta_jn, atol=1e-9)
    np.testing.assert_allclose(back.tilt_1, tilt, atol=1e-9)


def test_no_spins(binaries):
    binaries.a_1 = binaries.a_2 = np.zeros(len(binaries))
    lal_set = binaries.convert_to_lal_param_set(FREQUENCY)
    back = lal_set.convert_to_bilby_param_set(FREQUENCY)
    assert not back.a_1.any()
    assert not back.tilt_1.any()
    np.testing.assert_allclose(back.theta_jn, binaries.theta_jn, atol=1e-12)


def test_generation_params_are_what_a_generator_takes(binaries):
    lal_set = binaries.convert_to_lal_param_set(FREQUENCY)
    params = lal_set.generation_params
    assert set(params) == {
        *("mass1", "mass2", "distance", "inclination", "coa_phase"),
        *(f"spin{i}{x}" for i in "12" for x in "xyz"),
    }
    assert params["distance"] is lal_set.luminosity_distance
    assert params["coa_phase"] is lal_set.phase
    assert params["spin2y"] is lal_set.spin2y


def test_empty_sets_convert():
    empty = BilbyParameterSet().convert_to_lal_param_set(FREQUENCY)
    assert len(empty) == 0
    assert isinstance(empty, LALParameterSet)
    assert len(empty.convert_to_bilby_param_set(FREQUENCY)) == 0


def test_nearly_face_on_keeps_its_digits():
    """Where arc cosines would leave 1e-8."""
    angles = {
        "theta_jn": np.array([1e-5]),
        "phi_jl": np.array([1.0]),
        "tilt_1": np.array([1e-5]),
        "tilt_2": np.array([2e-5]),
        "phi_12": np.array([3.0]),
        "a_1": np.array([0.5]),
        "a_2": np.array([0.4]),
    }
    other = {
        "mass_1": np.array([30.0]),
        "mass_2": np.array([20.0]),
        "phase": np.array([0.7]),
        "reference_frequency": FREQUENCY,
    }
    inclination, spin_1, spin_2 = to_cartesian(**angles, **other)
    back = to_angles(
        inclination=inclination, spin_1=spin_1, spin_2=spin_2, **other
    )
    for name, value in angles.items():
        np.testing.assert_allclose(back[name], value, atol=1e-10, rtol=0)
