"""The law layer of aframe: what runs, in which order, where."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """Find a task by name, so that ``law run aframe.TrainLocal`` works.

    Importing ``aframe`` alone imports no task.
    """
    if name[:1].isupper():
        tasks = importlib.import_module("aframe.tasks")
        if name in tasks.__all__:
            return getattr(tasks, name)
    raise AttributeError(f"module 'aframe' has no attribute {name!r}")
