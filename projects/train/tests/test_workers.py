import os
import tempfile

import lightning
import pytest
from conventions.errors import UserError
from train.data import SupervisedAframeDataset
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


def test_workers_of_a_training_on_cpus_give_way(settings):
    data = SupervisedAframeDataset(**settings | {"num_workers": 2})
    data.trainer = lightning.Trainer(accelerator="cpu", logger=False)
    data.setup()
    batches = iter(data.train_dataloader())
    workers = [worker.pid for worker in batches._workers]
    next(batches)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    found = [os.getpriority(os.PRIO_PROCESS, pid) for pid in workers]
    assert found == [min(own + 19, 19)] * 2
