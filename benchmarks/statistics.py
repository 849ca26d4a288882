"""How long do tables and statistics take at the size of a year of search?

    python benchmarks/statistics.py [--only NAME ...] [--scale 1.0]

Prints one table. Every operation runs once, without warm-up, in a process of
its own on one core. Seconds count the operation alone: its inputs are made
before. Memory is the highest resident size of the whole process: interpreter,
inputs and results. The ratio is to a straightforward baseline that runs after
it in the same process, at a size where it finishes, scaled by its complexity.
The files lie in the temporary directory (``TMPDIR``), which needs 20 GB at
full scale. Exit status 1 says that a target was missed. Targets of FAR are for
events in the order in which a search leaves them.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from table import head, row

MEASURE = str(Path(__file__).parent / "operations" / "measure.py")


@dataclass(frozen=True)
class Entry:
    """A row of the table.

    Attributes:
        operation: in words.
        function: what makes its inputs, of a module in ``operations``.
        seconds: target, if there is one.
        memory: target in GB, if there is one.
    """

    operation: str
    function: str
    seconds: float | None = None
    memory: float | None = None


ENTRIES = {
    "far": Entry(
        "FAR, events sorted as a search leaves them", "events.far_sorted", 3, 4
    ),
    "far-unsorted": Entry(
        "FAR, unsorted events, first call", "events.far_unsorted"
    ),
    "far-again": Entry(
        "FAR, unsorted events, second call, which keeps a sorted copy",
        "events.far_again",
    ),
    "vetoes": Entry("vetoes", "events.vetoes", 2),
    "recovery": Entry("recovery of injections", "events.recovery", 10, 2),
    "volume": Entry("sensitive volume", "signals.volume", 2),
    "aggregation": Entry("aggregation of files", "files.aggregation", 30),
    "read-cold": Entry(
        "reading a selection, page cache dropped", "files.reading_cold", 1
    ),
    "read-warm": Entry("reading a selection again", "files.reading_warm", 1),
    "inject": Entry("inject overlapping signals", "signals.injecting", 2),
    "p_astro": Entry("p_astro, model made before", "signals.p_astro", 5),
}


def in_child(*arguments: str) -> str:
    """Run Python in a fresh process, on this one's core."""
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: failed, see above")
    return done.stdout.decode()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=ENTRIES, default=ENTRIES)
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()
    scale = arguments.scale
    if not 0 < scale <= 1:
        parser.error(f"--scale {scale}: more than 0 and at most 1 is accepted")
    cores = sorted(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    os.sched_setaffinity(0, cores[-1:])
    print(
        f"One of {len(cores)} cores, {memory:.0f} GB of memory, "
        f"Python {platform.python_version()}, numpy {np.__version__}, "
        f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, "
        f"scale {scale:g}\n"
    )
    head("operation", "size", "s", "target", "GB", "target", "ratio")
    # A virtual machine gets memory from its host when it first touches it,
    # which can take longer than the operations.
    in_child("-c", f"import numpy; numpy.ones({round(6e8 * scale)})")
    missed = False
    for name in arguments.only:
        entry = ENTRIES[name]
        found = json.loads(in_child(MEASURE, entry.function, str(scale)))
        missed |= any(
            target is not None and found[name] >= target
            for name, target in (
                ("seconds", entry.seconds),
                ("memory", entry.memory),
            )
        )
        row(
            entry.operation,
            found["size"],
            f"{found['seconds']:.3g}",
            entry.seconds or "",
            f"{found['memory']:.3g}",
            entry.memory or "",
            f"{found['ratio']:.2g}",
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
