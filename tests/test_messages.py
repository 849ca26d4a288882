import logging
import traceback

import pytest
from conventions.errors import UserError

from aframe.messages import UserErrorFilter


class SpecialError(UserError):
    """A kind of mistake."""


@pytest.fixture
def log():
    """A logger with the filter, and what it wrote."""
    logger = logging.getLogger("test-messages")
    written = []
    handler = logging.Handler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.emit = lambda record: written.append(handler.format(record))
    logger.addHandler(handler)
    marker = UserErrorFilter()
    logger.addFilter(marker)
    logger.propagate = False
    yield logger, written
    logger.removeHandler(handler)
    logger.removeFilter(marker)


@pytest.mark.parametrize("kind", [UserError, SpecialError])
def test_mistakes_are_a_message(log, kind):
    logger, written = log
    try:
        raise kind("highpass: 32 and 40\nin two files")
    except kind:
        logger.exception("Worker %s failed", "7")
        logger.warning(f"will not run:\n{traceback.format_exc()}")
    assert written == ["highpass: 32 and 40\nin two files"] * 2


def test_a_mistake_behind_another_error_is_found(log):
    logger, written = log
    try:
        try:
            raise UserError("the mistake")
        except UserError as error:
            raise ValueError("around it") from error
    except ValueError:
        logger.exception("failed")
    assert written == ["the mistake"]


def test_bugs_keep_their_traceback(log):
    logger, written = log
    try:
        raise KeyError("bug")
    except KeyError:
        logger.exception("failed")
        logger.warning(f"will not run:\n{traceback.format_exc()}")
    assert all("Traceback" in text and "'bug'" in text for text in written)
    assert written[0].startswith("failed")
