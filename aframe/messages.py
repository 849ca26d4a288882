"""What a user sees of a run: which task, for how long, and what is wrong."""

import logging
import re
import sys

import law
from conventions.errors import UserError

from aframe import config

_TRACE = re.compile(
    r"Traceback \(most recent call last\):\n.*?^([\w.]+): (.*)",
    re.DOTALL | re.MULTILINE,
)


def _user_error(error: BaseException | None) -> UserError | None:
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__
    return error


def _names_user_error(name: str) -> bool:
    known = {UserError}
    pending = [UserError]
    while pending:
        for subclass in pending.pop().__subclasses__():
            known.add(subclass)
            pending.append(subclass)
    return name in {f"{cls.__module__}.{cls.__qualname__}" for cls in known}


class UserErrorFilter(logging.Filter):
    """Shows a user's mistake as its message; bugs keep their traceback.

    In a container the message is left to the law outside, which shows it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the record of a ``UserError``, or leave it outside."""
        error = _user_error(record.exc_info[1]) if record.exc_info else None
        outside = config.error_file()
        if error is not None and outside is not None:
            outside.write_text(str(error))
            return False
        if error is not None:
            record.exc_info = record.exc_text = None
            record.msg, record.args = str(error), ()
        elif isinstance(record.msg, str) and "Traceback" in record.msg:
            trace = _TRACE.search(record.getMessage())
            if trace and _names_user_error(trace[1]):
                record.msg, record.args = trace[2].strip(), ()
                record.levelno, record.levelname = logging.ERROR, "ERROR"
        return True


def install() -> None:
    """Make luigi's log show users' mistakes without a traceback."""
    logger = logging.getLogger("luigi-interface")
    if not any(isinstance(f, UserErrorFilter) for f in logger.filters):
        logger.addFilter(UserErrorFilter())


def announce(task: law.Task, what: str) -> None:
    """Write a line about a task, unless a workflow or a container does.

    Args:
        task: the task.
        what: happened to it.
    """
    branch = getattr(task, "branch", None)
    if branch == -1 or law.sandbox.base._sandbox_switched:
        return
    name = task.task_family
    _write(name if branch is None else f"{name} branch {branch}", what)


def say(task: law.Task, what: str) -> None:
    """Write a line about how a task works, also from within a container.

    Args:
        task: the task.
        what: to say.
    """
    _write(f"{task.task_family}:", what)


def _write(name: str, what: str) -> None:
    sys.stdout.write(f"aframe: {name} {what}\n")
    sys.stdout.flush()
