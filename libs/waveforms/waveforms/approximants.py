"""LAL's waveform models: names, arguments and calls."""

import difflib
from collections.abc import Iterator
from typing import Any

import lal
import lalsimulation
import numpy as np
from conventions.errors import UserError
from ledger.injections import BilbyParameterSet

NUMERICAL_ZERO = 1e-12


def find_approximant(name: str) -> int:
    """LAL's number of a waveform model.

    Args:
        name: for example ``"IMRPhenomPv2"``.

    Returns:
        The number.

    Raises:
        UserError: if LAL has no model of this name that it can generate.
    """
    known = {
        lalsimulation.GetStringFromApproximant(number): number
        for number in range(lalsimulation.NumApproximants)
        if lalsimulation.SimInspiralImplementedFDApproximants(number)
        or lalsimulation.SimInspiralImplementedTDApproximants(number)
    }
    if name not in known:
        similar = difflib.get_close_matches(name, known, 5, 0)
        raise UserError(
            f"waveform_approximant {name!r} is unknown to LAL; accepted are "
            f"its {len(known)} models, such as {', '.join(similar)}"
        )
    return known[name]


def in_frequency_domain(approximant: int) -> bool:
    """Whether LAL has a model as a function of frequency."""
    return bool(
        lalsimulation.SimInspiralImplementedFDApproximants(approximant)
    )


def lal_arguments(
    parameters: BilbyParameterSet, reference_frequency: np.ndarray
) -> Iterator[tuple[float, ...]]:
    """Arguments that LAL's generators share, one tuple a binary.

    Args:
        parameters: the binaries.
        reference_frequency: where spins and phase are defined, in Hz,
            shape (N,).

    Yields:
        Masses in kg, spin components, distance in m, inclination and
        phase in rad, then three zeros: longitude of the ascending node,
        eccentricity and mean anomaly.
    """
    binaries = parameters.convert_to_lal_param_set(reference_frequency)
    spins = [
        _without_noise(getattr(binaries, f"spin{body}{axis}"))
        for body in (1, 2)
        for axis in "xyz"
    ]
    zero = np.zeros(len(parameters))
    columns = (
        binaries.mass1 * lal.MSUN_SI,
        binaries.mass2 * lal.MSUN_SI,
        *spins,
        binaries.luminosity_distance * 1e6 * lal.PC_SI,
        binaries.inclination,
        binaries.phase,
        *(zero, zero, zero),
    )
    yield from zip(*(column.tolist() for column in columns), strict=True)


def frequency_series(
    approximant: int,
    arguments: tuple[float, ...],
    *,
    delta_f: float,
    start: float,
    maximum_frequency: float,
    reference_frequency: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Polarizations of one binary over frequency, coalescing at t = 0.

    Args:
        approximant: LAL's number of the model.
        arguments: an item of :func:`lal_arguments`.
        delta_f: frequency step in Hz.
        start: lowest frequency in Hz.
        maximum_frequency: highest frequency in Hz.
        reference_frequency: Hz.

    Returns:
        plus and cross in 1/Hz, complex; they start at 0 Hz.

    Raises:
        UserError: if LAL cannot make this waveform.
    """
    plus, cross = _call(
        lalsimulation.SimInspiralChooseFDWaveform,
        approximant,
        arguments,
        (delta_f, start, maximum_frequency, reference_frequency),
    )
    return plus.data.data, cross.data.data


def time_series(
    approximant: int,
    arguments: tuple[float, ...],
    *,
    delta_t: float,
    start: float,
    reference_frequency: float,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Polarizations of one binary over time, conditioned by LAL.

    Args:
        approximant: LAL's number of the model.
        arguments: an item of :func:`lal_arguments`.
        delta_t: time step in s.
        start: lowest frequency in Hz.
        reference_frequency: Hz.

    Returns:
        plus, cross, and the time of their first sample relative to the
        coalescence in s.

    Raises:
        UserError: if LAL cannot make this waveform.
    """
    plus, cross = _call(
        lalsimulation.SimInspiralTD,
        approximant,
        arguments,
        (delta_t, start, reference_frequency),
    )
    return plus.data.data, cross.data.data, float(plus.epoch)


def _without_noise(spin: np.ndarray) -> np.ndarray:
    """Drop rounding errors that would make aligned spins precess."""
    return np.where(np.abs(spin) < NUMERICAL_ZERO, 0.0, spin)


def _call(
    generate: Any,
    approximant: int,
    arguments: tuple[float, ...],
    sampling: tuple[float, ...],
) -> tuple[Any, Any]:
    try:
        return generate(*arguments, *sampling, None, approximant)
    except RuntimeError as error:
        name = lalsimulation.GetStringFromApproximant(approximant)
        masses = [argument / lal.MSUN_SI for argument in arguments[:2]]
        raise UserError(
            f"LAL cannot make a waveform of {name} for masses "
            f"{masses[0]:.4g} and {masses[1]:.4g} solar masses and spins "
            f"{arguments[2:5]} and {arguments[5:8]}: {error}"
        ) from error
