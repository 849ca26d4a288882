"""The injections that are joined are those that were searched for."""

import h5py
import pytest
from conventions.errors import UserError

from aframe.targets import FileTarget
from aframe.tasks import Infer


@pytest.fixture
def run_with(tmp_path):
    """Joins tables with these numbers of rows."""

    def write(name, length):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            file.attrs["length"] = length
        return path

    def run(made, searched):
        paths = [write(f"{i}.hdf5", n) for i, n in enumerate(searched)]
        task = Infer(Tb=200.0)
        injections = FileTarget(write("waveforms.hdf5", made))
        task.check_counts(injections, paths)

    return run


@pytest.mark.parametrize("searched", [[3, 0, 4], [7]])
def test_as_many_as_were_made_pass(run_with, searched):
    run_with(7, searched)


@pytest.mark.parametrize("searched", [[], [3, 3], [3, 5]])
def test_injections_of_another_plan_are_named(run_with, searched, tmp_path):
    with pytest.raises(UserError) as caught:
        run_with(7, searched)
    message = str(caught.value)
    assert f"{tmp_path / 'waveforms.hdf5'} holds 7 injections" in message
    assert f"Tb = 200 s were searched for {sum(searched)}" in message
    assert "remove the file" in message
