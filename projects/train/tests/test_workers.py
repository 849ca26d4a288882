import tempfile

import pytest
from conventions.errors import UserError
from train.data.workers import NAME_BYTES, SOCKET_PATH_BYTES, check_sockets


@pytest.fixture
def temporary(monkeypatch):
    """Sets the length of the path of temporary files, in bytes."""
    with tempfile.TemporaryDirectory(dir="/tmp") as short:

        def use(length):
            path = short + "/" + "x" * (length - len(short) - 1)
            monkeypatch.setattr(tempfile, "tempdir", path)

        yield use


def test_too_long_a_directory_is_refused(temporary):
    longest = SOCKET_PATH_BYTES - NAME_BYTES
    temporary(longest)
    check_sockets(1)
    temporary(longest + 1)
    check_sockets(0)
    with pytest.raises(UserError, match=f"TMPDIR: .* at most {longest}"):
        check_sockets(1)
