"""Measure one operation, then its baseline, in this process.

    python benchmarks/operations/measure.py events.vetoes 0.01

Prints what was measured as JSON. The operation is a function of a module
beside this file.
"""

import importlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def measure(operation: str, scale: float) -> dict[str, float | str]:
    """Measure one operation, then its baseline.

    Args:
        operation: module and name of the function that makes the case.
        scale: of the inputs; 1 is a year of search.

    Returns:
        The size in words, seconds, the highest memory of this process in
        GB, and how many times longer the baseline takes.
    """
    module, name = operation.split(".")
    make = getattr(importlib.import_module(module), name)
    with tempfile.TemporaryDirectory() as folder:
        case = make(scale, Path(folder))
        took = seconds(case.run)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        baseline = seconds(case.baseline) * case.factor
    return {
        "size": case.size,
        "seconds": took,
        "memory": peak * 1024 / 1e9,
        "ratio": baseline / took,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], float(sys.argv[2]))))
