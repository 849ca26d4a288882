"""How a model lies in an HDF5 file.

Root attributes ``format`` and ``version``; for each density a group with
the datasets ``log_density``, ``tail`` and ``log_tail`` and one attribute
for every other number; a group ``origin`` with an attribute for each thing
the model was made of.
"""

import os
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from conventions.errors import UserError
from conventions.files import complete
from ledger.storage import opened, plain

from p_astro.density import TailedKde
from p_astro.rate import RateDensity

PATH = str | os.PathLike[str]

FORMAT = "aframe p_astro"
VERSION = 2

_LISTS = ("log_density", "tail", "log_tail")
_SCALARS = ("start", "step", "decay", "bandwidth")


def write(
    path: PATH, models: Mapping[str, RateDensity], origin: Mapping[str, str]
) -> None:
    """Write densities of rate.

    Args:
        path: the file, complete or absent.
        models: name of the group to what it holds.
        origin: what the densities were made of.
    """
    with complete(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["version"] = VERSION
        file.create_group("origin").attrs.update(origin)
        for kind, model in models.items():
            group = file.create_group(kind)
            for name in _LISTS:
                group[name] = getattr(model.density, name)
            for scalar in _SCALARS:
                group.attrs[scalar] = getattr(model.density, scalar)
            for attribute in model.ATTRIBUTES:
                group.attrs[attribute] = getattr(model, attribute)


def read(
    path: PATH, models: Mapping[str, type[RateDensity]]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Read densities of rate.

    Args:
        path: the file.
        models: name of the group to the class of what it holds.

    Returns:
        Name of the group to what it holds, and what the densities were
        made of.

    Raises:
        UserError: if there is no such file, it is truncated, or it is not
            of this format and version.
    """
    with opened(path) as file:
        found = plain(file.attrs.get("format"))
        if found != FORMAT:
            raise UserError(
                f"{path}: not a p_astro model, root attribute 'format' is "
                f"{found!r}, not {FORMAT!r}"
            )
        version = plain(file.attrs.get("version"))
        if version != VERSION:
            raise UserError(
                f"{path}: p_astro model of version {version}; version "
                f"{VERSION} can be read"
            )
        try:
            densities = {
                name: _model(file[name], cls) for name, cls in models.items()
            }
            attributes = file["origin"].attrs.items()
            return densities, {name: plain(text) for name, text in attributes}
        except (KeyError, OSError, ValueError) as error:
            raise UserError(
                f"{path}: incomplete p_astro model ({error})"
            ) from error


def _model(group: h5py.Group, cls: type[RateDensity]) -> RateDensity:
    scalars = {name: plain(group.attrs[name]) for name in _SCALARS}
    lists = {name: group[name][:] for name in _LISTS}
    for name, numbers in lists.items():
        if numbers.ndim != 1 or not np.isfinite(numbers).all():
            raise ValueError(f"{group.name}/{name} is no list of numbers")
    density = TailedKde(**lists, **scalars)
    attributes = {name: plain(group.attrs[name]) for name in cls.ATTRIBUTES}
    return cls.restored(density, **attributes)
