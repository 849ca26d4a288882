from pathlib import Path

import pytest
from conventions.errors import UserError
from train import logger
from train.tune import configuration, trials
from train.tune.cli import prepare
from train.tune.settings import TuneSettings

TRAINING = {
    "data": {
        "class_path": "A",
        "init_args": {"swap_frac": 0.1, "directory": "."},
    },
    "model": {
        "class_path": "B",
        "init_args": {
            "learning_rate": 1e-3,
            "arch": {"class_path": "C", "init_args": {"kernel_size": 3}},
        },
    },
    "trainer": {"max_epochs": 4, "devices": "auto"},
    "wandb": {"project": "p"},
}


def test_scores_are_read_where_they_are_written():
    assert trials.METRICS == logger.METRICS


def settings(**changes):
    values = {"name": "s", "storage_dir": Path("d"), "space": {}}
    return TuneSettings(**values | changes)


@pytest.mark.parametrize(
    ("given", "resources", "devices"),
    [
        ((0.5, 0, 1), {"CPU": 0.5}, ("cpu", 1)),
        ((2, 0, 3), {"CPU": 6}, ("cpu", 3)),
        ((8, 1, 1), {"CPU": 8, "GPU": 1}, ("gpu", 1)),
        ((8, 0.25, 1), {"CPU": 2, "GPU": 0.25}, ("gpu", 1)),
        ((4, 1, 2), {"CPU": 8, "GPU": 2}, ("gpu", 2)),
        ((4, 2, 1), {"CPU": 8, "GPU": 2}, ("gpu", 2)),
    ],
)
def test_a_trial_takes_what_its_processes_take(given, resources, devices):
    names = ("cpus_per_gpu", "gpus_per_worker", "num_workers")
    found = settings(**dict(zip(names, given, strict=True)))
    assert found.resources == resources
    accelerator, count = devices
    assert found.devices == {"accelerator": accelerator, "devices": count}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a/b"}, "tune.name: 'a/b'"),
        ({"name": ""}, "tune.name: ''"),
        ({"num_samples": 0}, "tune.num_samples: 0 is not at least 1"),
        ({"num_workers": 0}, "tune.num_workers: 0"),
        ({"grace_period": 0}, "tune.grace_period: 0"),
        ({"cpus_per_gpu": 0}, "tune.cpus_per_gpu: 0 is not above 0"),
        ({"reduction_factor": 1}, "tune.reduction_factor: 1 is not above 1"),
        ({"gpus_per_worker": -1}, "tune.gpus_per_worker: -1"),
        ({"gpus_per_worker": 1.5}, "1.5 is neither a whole number nor"),
        ({"gpus_per_worker": 0.5, "num_workers": 2}, "cannot share a GPU"),
    ],
)
def test_settings_that_make_no_search_are_named(changes, message):
    with pytest.raises(UserError) as caught:
        settings(**changes)
    assert message in str(caught.value)


def test_values_are_set_by_dotted_name():
    varied = configuration.vary(
        TRAINING,
        {
            "model.learning_rate": 0.1,
            "model.arch.kernel_size": 5,
            "data.init_args.swap_frac": 0.2,
            "trainer.max_epochs": 2,
            "model.arch": {"class_path": "D"},
        },
    )
    assert varied["model"]["init_args"] == {
        "learning_rate": 0.1,
        "arch": {"class_path": "D"},
    }
    assert varied["data"]["init_args"]["swap_frac"] == 0.2
    assert varied["trainer"]["max_epochs"] == 2
    assert TRAINING["trainer"]["max_epochs"] == 4  # a copy


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.learning_rat", "did you mean model.learning_rate"),
        ("model.arch.kernelsize", "did you mean model.arch.kernel_size"),
        ("model.learning_rate.x", "has no setting model.learning_rate.x"),
        ("nothing", "has no setting nothing"),
        ("wandb.project", "is given to each trial by the search"),
        ("trainer.devices", "is given to each trial by the search"),
    ],
)
def test_a_name_that_is_none_is_refused(name, message):
    with pytest.raises(UserError) as caught:
        configuration.vary(TRAINING, {name: 1})
    assert message in str(caught.value)


def test_exponents_without_a_point_are_numbers(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text("a: {loguniform: [1e-4, 2E+3]}\nb: 1e5x\n")
    found = configuration.load(path)
    assert found == {"a": {"loguniform": [1e-4, 2000.0]}, "b": "1e5x"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read"),
        ("[1, 2]", "holds no settings by name"),
        ("a: [", "is no YAML file"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, content, message):
    path = tmp_path / "space.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        configuration.load(path)
    assert str(path) in str(caught.value)


def test_input_files_are_those_of_the_data_settings(tmp_path):
    (tmp_path / "a.hdf5").write_text("four")
    (tmp_path / ".hidden").touch()
    training = {
        "data": {"init_args": {"background_dir": str(tmp_path), "rate": 2}}
    }
    [(path, (size, _))] = configuration.input_files(training).items()
    assert path == str(tmp_path / "a.hdf5")
    assert size == 4


@pytest.mark.parametrize(
    ("section", "arguments", "message"),
    [
        ("", [], "a search needs tune.name, tune.storage_dir, tune.space"),
        ("tune: {nmae: x}", [], "tune.nmae is unknown, accepted are name"),
        ("tune: 3", [], "holds no settings by name"),
        ("tune: {num_samples: 1.5}", [], "tune.num_samples: 1.5 is no int"),
        (
            "tune: {name: a, storage_dir: b, space: {}}",
            [],
            "there is nothing to search",
        ),
        (
            "tune: {name: a, storage_dir: b, space: {x: {choice: [1]}}}",
            ["--tune.name=a/b"],
            "tune.name: 'a/b'",
        ),
        (
            "tune: {name: a, storage_dir: 's3://b/c', space: {}}",
            [],
            "tune.storage_dir: s3://b/c is in a store",
        ),
    ],
)
def test_what_is_asked_is_checked_first(tmp_path, section, arguments, message):
    path = tmp_path / "train.yaml"
    path.write_text(section)
    with pytest.raises(UserError) as caught:
        prepare([f"--config={path}", *arguments])
    assert message in str(caught.value)
