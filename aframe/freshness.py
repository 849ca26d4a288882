"""When a task is complete: as ``make`` decides it.

A task is complete if its outputs exist, the tasks it requires are complete,
and neither their outputs nor the files that a user gave to it are newer than
its own outputs. See ``docs/decisions/0001-freshness.md``.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import law
from law.util import flatten

from aframe import config, targets

REMEMBERED_SECONDS = 5.0
"""How long a task that was found complete is taken to be so."""

_found_complete: dict[str, float] = {}


def forget() -> None:
    """Look at every file again, at the next question."""
    _found_complete.clear()


def is_complete(task: law.Task) -> bool:
    """Whether a task needs no run.

    Only a positive answer is remembered, for a few seconds: it spares the
    walk through the same upstream tasks for each of many branches.

    Args:
        task: a task; for a workflow, ask its branches.

    Raises:
        UserError: if an output lies in a directory that is not known.
    """
    now = time.monotonic()
    known = _found_complete.get(task.task_id)
    if known is not None and now - known < REMEMBERED_SECONDS:
        return True
    complete = _is_current(task)
    if complete:
        _found_complete[task.task_id] = now
    return complete


def _is_current(task: law.Task) -> bool:
    outputs = targets.files(task.output())
    for target in outputs:
        config.require_set(target.file)
    upstream = flatten(task.requires())
    return (
        all(target.exists() for target in outputs)
        and all(other.complete() for other in upstream)
        and _none_is_newer(upstream, outputs)
        and _none_is_changed(task.input_files(), outputs)
    )


def is_made_after(outputs: Any, upstream: Iterable[law.Task]) -> bool:
    """Whether outputs exist and are not older than what they are made from.

    A task with many outputs asks this for each, to make no more than it
    has to.

    Args:
        outputs: some outputs of a task, nested as in its ``output``.
        upstream: the tasks that it requires, all complete.
    """
    found = targets.files(outputs)
    return all(target.exists() for target in found) and _none_is_newer(
        upstream, found
    )


def _none_is_newer(
    upstream: Iterable[law.Task], outputs: Sequence[targets.FileTarget]
) -> bool:
    oldest = min(target.modified() for target in outputs)
    return all(newest(task) <= oldest for task in upstream)


def _none_is_changed(
    given: Iterable[Path], outputs: Sequence[targets.FileTarget]
) -> bool:
    oldest = min(target.modified() for target in outputs)
    return all(path.stat().st_mtime_ns <= oldest for path in given)


def newest(task: law.Task) -> int:
    """Time of the last change among a complete task's outputs, ns."""
    return max(
        (target.modified() for target in targets.files(task.output())),
        default=0,
    )
