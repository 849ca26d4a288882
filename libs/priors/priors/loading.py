"""Priors by their dotted name, as configuration files give them."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from conventions.errors import UserError

if TYPE_CHECKING:
    from bilby.core.prior import PriorDict

Population: TypeAlias = "tuple[PriorDict, bool]"


def load(
    dotted_name: str, arguments: Mapping[str, Any] | None = None
) -> Population:
    """Find a prior function by its dotted name and call it.

    Args:
        dotted_name: module and function, for example
            ``"priors.priors.end_o3_ratesandpops"``; any importable module
            may hold the function.
        arguments: keyword arguments of the function.

    Returns:
        The prior, and whether its masses are those of the detector frame.

    Raises:
        UserError: if there is no such function, if it does not take these
            arguments, or if it does not return a prior and a flag.
    """
    function = _find(dotted_name)
    arguments = dict(arguments or {})
    signature = inspect.signature(function)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise UserError(
            f"prior {dotted_name!r} was given the arguments {arguments}: "
            f"{error}; it accepts {', '.join(signature.parameters)}"
        ) from None
    result = function(**arguments)
    match result:
        case (dict(), bool()):
            return result
    raise UserError(
        f"prior {dotted_name!r} returned {type(result).__name__}; a prior "
        "function returns (bilby PriorDict, detector_frame_prior)"
    )


def _find(dotted_name: str) -> Callable[..., Population]:
    module_name, _, function_name = dotted_name.rpartition(".")
    if not module_name:
        raise UserError(
            f"prior {dotted_name!r} is not a dotted name such as "
            f"'priors.priors.{dotted_name or 'nonspin_bbh'}'; "
            f"available: {_available('priors.priors')}"
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UserError(
            f"prior {dotted_name!r}: cannot import {module_name!r} ({error}); "
            f"available: {_available('priors.priors')}"
        ) from None
    function = getattr(module, function_name, None)
    if not inspect.isfunction(function):
        raise UserError(
            f"prior {dotted_name!r}: {module_name!r} has no function "
            f"{function_name!r}; available: {_available(module_name)}"
        )
    return function


def _available(module_name: str) -> str:
    module = importlib.import_module(module_name)
    names = [
        f"{module_name}.{name}"
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module_name and not name.startswith("_")
    ]
    return ", ".join(names) or "none"
