"""How long do integration and clustering take, and how much memory?

    python benchmarks/postprocess.py [--outputs 130000000]

Feeds float32 noise, by default a year at 4 Hz, to the event finder in pieces
of one request, with the demo's windows, and prints one table. The plain loop
is timed on few outputs and scaled.
"""

import argparse
import resource
import time

import numpy as np
from infer.peaks import EventFinder
from table import head, row

WINDOW, REACH = 4, 16
REQUEST = 128
LOOP = 20_000


def plain_loop(outputs: list[float]) -> list[int]:
    """Integrate and cluster one output after the other."""
    integrated = []
    for i in range(len(outputs)):
        seen = outputs[max(i - WINDOW + 1, 0) : i + 1]
        integrated.append(sum(seen) / len(seen))
    found = []
    for i, value in enumerate(integrated):
        before = integrated[max(i - REACH, 0) : i]
        after = integrated[i + 1 : i + REACH + 1]
        if all(value > x for x in before) and all(value >= x for x in after):
            found.append(i)
    return found


def peak_memory() -> float:
    """Largest memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outputs", type=int, default=130_000_000)
    count = parser.parse_args().outputs
    rng = np.random.default_rng(0)
    few = rng.standard_normal(LOOP, dtype=np.float32)
    began = time.process_time()
    expected = plain_loop(few.tolist())
    loop = (time.process_time() - began) * count / LOOP
    check = EventFinder(WINDOW, REACH)
    check.feed(few)
    assert check.finish().index.tolist() == expected
    outputs = rng.standard_normal(count, dtype=np.float32)
    rows = [("plain loop, scaled", loop, "")]
    for label, size in (("pieces of a request", REQUEST), ("at once", count)):
        finder = EventFinder(WINDOW, REACH)
        began = time.process_time()
        for first in range(0, count, size):
            finder.feed(outputs[first : first + size])
        found = finder.finish()
        took = time.process_time() - began
        rows.append((label, took, f"{peak_memory():.2f}"))
    print(f"{count} outputs, {len(found.index)} events")
    print(
        f"{outputs.nbytes / 1e9:.2f} GB of outputs are in memory, which is "
        "part of the peak"
    )
    head("", "CPU seconds", "ratio to the loop", "peak memory, GB")
    for label, took, memory in rows:
        row(label, f"{took:.1f}", f"{loop / took:.0f}", memory)


if __name__ == "__main__":
    main()
