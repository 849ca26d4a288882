"""What the arguments of networks must satisfy."""

from collections.abc import Sequence
from typing import Any

from conventions.errors import UserError


def _is_positive(value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and value >= 1


def positive(**arguments: int) -> None:
    """Refuse numbers that count nothing.

    Args:
        arguments: whole numbers by the name of their argument.

    Raises:
        UserError: if one is not a whole number of at least 1.
    """
    at_least(1, **arguments)


def at_least(least: int, **arguments: int) -> None:
    """Refuse numbers that are too small.

    Args:
        least: smallest number accepted.
        arguments: whole numbers by the name of their argument.

    Raises:
        UserError: if one is not a whole number of at least ``least``.
    """
    for name, value in arguments.items():
        if not _is_positive(value) or value < least:
            raise UserError(
                f"{name}: {value!r} must be a whole number of at least {least}"
            )


def odd(**arguments: int) -> None:
    """Refuse filters without a middle.

    Args:
        arguments: numbers of taps by the name of their argument.

    Raises:
        UserError: if one is not a positive odd number.
    """
    positive(**arguments)
    for name, value in arguments.items():
        if value % 2 == 0:
            raise UserError(f"{name}: {value} must be odd")


def even(**arguments: int) -> None:
    """Refuse numbers that do not divide into pairs.

    Args:
        arguments: whole numbers by the name of their argument.

    Raises:
        UserError: if one is not a positive even number.
    """
    positive(**arguments)
    for name, value in arguments.items():
        if value % 2:
            raise UserError(f"{name}: {value} must be even")


def counts(least: int = 1, **arguments: Sequence[int]) -> None:
    """Refuse lists that are too short or hold anything but counts.

    Args:
        least: smallest length of a list.
        arguments: lists of whole numbers by the name of their argument.

    Raises:
        UserError: if a list is shorter, or an element is not a whole number
            of at least 1.
    """
    for name, values in arguments.items():
        if len(values) < least or not all(map(_is_positive, values)):
            raise UserError(
                f"{name}: {list(values)} must be a list of at least {least} "
                "whole numbers of at least 1"
            )


def fraction(**arguments: float) -> None:
    """Refuse what is no part of a whole.

    Args:
        arguments: numbers by the name of their argument.

    Raises:
        UserError: if one is not in [0, 1).
    """
    for name, value in arguments.items():
        if not 0 <= value < 1:
            raise UserError(f"{name}: {value!r} must be in [0, 1)")


def ordered(**arguments: float) -> None:
    """Refuse an empty range.

    Args:
        arguments: positive numbers by the name of their argument, in
            ascending order.

    Raises:
        UserError: if one is not positive and finite, or smaller than the
            one before it.
    """
    previous = 0.0
    for value in arguments.values():
        if not 0 < value < float("inf") or value < previous:
            shown = ", ".join(f"{k}: {v!r}" for k, v in arguments.items())
            raise UserError(f"{shown}: must be positive and ascending")
        previous = value


def groups(norm_groups: int, channels: Sequence[int]) -> None:
    """Refuse groups that do not divide the channels of a layer.

    Args:
        norm_groups: groups of the normalisations; a layer with fewer
            channels has one group per channel.
        channels: of the layers.

    Raises:
        UserError: if the channels of a layer do not divide into the groups.
    """
    positive(norm_groups=norm_groups)
    for width in channels:
        if width % min(norm_groups, width):
            raise UserError(
                f"norm_groups: {norm_groups} groups do not divide the "
                f"{width} channels of a layer"
            )
