import sys

import pytest
import torch
from conventions.errors import UserError
from export.cli import main
from export.main import export
from export.repository import contents
from preprocessing.batch import BatchWhitener
from preprocessing.manifest import InputSpec, Manifest, sha256
from preprocessing.snapshotter import Snapshotter

MODELS = {"aframe", "preprocessor", "snapshotter", "aframe-stream"}


def files(path):
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file()
    }


def test_layout(run_dir, repository, settings):
    manifest = export(run_dir, repository, **settings)
    assert {p.name for p in repository.iterdir()} == MODELS | {"manifest.json"}
    for name in MODELS - {"aframe-stream"}:
        version = repository / name / "1"
        names = {p.name for p in version.iterdir()}
        assert names == {"model.py", "model.pt"}
    assert list((repository / "aframe-stream" / "1").iterdir()) == []
    assert Manifest.read(repository / "manifest.json") == manifest
    trained = Manifest.read(run_dir / "manifest.json")
    assert manifest == trained.extended(platform="python", **settings)


def test_configs(run_dir, repository, settings, parse):
    export(run_dir, repository, streams_per_gpu=3, **settings)
    shapes = {}
    for name in MODELS:
        parsed = parse(repository, name)
        shapes[name] = (list(parsed.input[0].dims),)
        shapes[name] += (list(parsed.output[0].dims),)
    state = int((0.5 + 0.5 + 4 - 0.25) * 128)
    assert shapes == {
        "snapshotter": ([-1, 2, 256], [-1, 2, state + 256]),
        "preprocessor": ([-1, 2, state + 256], [-1, 2, 64]),
        "aframe": ([2, 64], [1]),
        "aframe-stream": ([-1, 2, 256], [-1, 1]),
    }
    batching = parse(repository, "snapshotter").sequence_batching
    assert batching.oldest.max_candidate_sequences == 3
    assert batching.max_sequence_idle_microseconds > 10_000_000
    ensemble = parse(repository, "aframe-stream")
    steps = ensemble.ensemble_scheduling.step
    assert [step.model_name for step in steps] == [
        "snapshotter",
        "preprocessor",
        "aframe",
    ]
    assert steps[2].input_map["X"] == steps[1].output_map["X"]
    assert "highpass" in ensemble.parameters["manifest"].string_value


@pytest.mark.parametrize("batch_size", [4, 8])
def test_modules_are_those_of_the_training(
    run_dir, repository, batch_size, settings
):
    """With 4, the highpass falls on a bin of the spectrum of a request."""
    settings = settings | {"batch_size": batch_size}
    manifest = export(run_dir, repository, **settings)
    arguments = (manifest.preprocessing, *settings.values())
    sizes = Snapshotter(*arguments)
    update = torch.randn(2, 2, sizes.update_size)
    state = torch.randn(2, 2, sizes.state_size)

    def load(name):
        return torch.jit.load(repository / name / "1" / "model.pt")

    full, kept = load("snapshotter")(update, state)
    torch.testing.assert_close(full, torch.cat([state, update], -1))
    torch.testing.assert_close(kept, full[..., sizes.update_size :])
    for streams in (1, 2):
        torch.testing.assert_close(
            load("preprocessor")(full[:streams])[0],
            BatchWhitener(*arguments)(full[:streams]),
        )
    weights = repository / "aframe" / "1" / "model.pt"
    assert sha256(weights) == manifest.weights_sha256


def test_models_need_nothing_of_aframe(run_dir, repository, settings):
    """The server's own Python has torch and the backend's module alone."""
    export(run_dir, repository, **settings)
    allowed = {"torch", "triton_python_backend_utils"}
    for source in repository.glob("*/1/model.py"):
        modules = {
            line.split()[1].split(".")[0]
            for line in source.read_text().splitlines()
            if line.startswith(("import ", "from "))
        }
        assert modules - set(sys.stdlib_module_names) == allowed


def test_complete_repository_is_replaced_when_told(
    run_dir, repository, settings, parse
):
    export(run_dir, repository, **settings)
    before = files(repository)
    with pytest.raises(UserError, match="complete already; pass clean"):
        export(run_dir, repository, **settings)
    assert files(repository) == before
    export(run_dir, repository, clean=True, **settings | {"batch_size": 4})
    assert Manifest.read(repository / "manifest.json").batch_size == 4
    assert parse(repository, "aframe-stream").input[0].dims[2] == 128
    assert [p.name for p in repository.parent.iterdir()] == ["repository"]


@pytest.mark.parametrize(
    "lost", ["manifest.json", "aframe/config.pbtxt", "preprocessor/1/model.pt"]
)
def test_incomplete_repository_is_replaced(
    run_dir, repository, settings, lost
):
    """The server's own traces of the old one are no reason against it."""
    export(run_dir, repository, **settings)
    complete = files(repository)
    (repository / lost).unlink()
    cache = repository / "aframe" / "1" / "__pycache__"
    cache.mkdir()
    (cache / "model.cpython-311.pyc").write_text("compiled")
    export(run_dir, repository, clean=True, **settings)
    assert set(files(repository)) == set(complete)


@pytest.mark.parametrize("name", ["precious", "aframe/1/model.pt", "1/x/y"])
def test_clean_removes_nothing_else(run_dir, repository, settings, name):
    """Models of the same names may be someone else's."""
    (repository / name).parent.mkdir(parents=True)
    (repository / name).write_text("data")
    with pytest.raises(UserError, match="holds what export did not write"):
        export(run_dir, repository, clean=True, **settings)
    assert files(repository) == {name: b"data"}


@pytest.mark.parametrize(
    "name",
    ["aframe/2/model.pt", "aframe/1/model.onnx", "aframe/1/__pycache__/x.py"],
)
def test_clean_keeps_what_was_added(run_dir, repository, settings, name):
    export(run_dir, repository, **settings)
    (repository / name).parent.mkdir(exist_ok=True)
    (repository / name).write_text("data")
    before = files(repository)
    with pytest.raises(UserError, match=f"did not write: .*{name}"):
        export(run_dir, repository, clean=True, **settings)
    assert files(repository) == before


def test_a_training_is_no_repository(run_dir, settings):
    before = files(run_dir)
    with pytest.raises(UserError, match=r"did not write: batch\.hdf5, mani"):
        export(run_dir, run_dir, clean=True, **settings)
    assert files(run_dir) == before


@pytest.mark.parametrize("platform", ["torchscript", "onnx"])
def test_another_platform_replaces(
    run_dir, repository, settings, platform, request
):
    if platform == "onnx":
        request.getfixturevalue("onnx")
    for name in (platform, "python", platform):
        export(run_dir, repository, platform=name, clean=True, **settings)
        found = repository.rglob("*")
        written = {path.relative_to(repository) for path in found}
        assert written == contents(name)


def test_failure_leaves_the_previous_one(
    run_dir, repository, monkeypatch, settings
):
    export(run_dir, repository, **settings)
    before = files(repository)

    def fail(config):
        raise OSError("disk full")

    monkeypatch.setattr("export.configs.to_text", fail)
    with pytest.raises(OSError, match="disk full"):
        export(run_dir, repository, clean=True, **settings)
    assert files(repository) == before
    assert [p.name for p in repository.parent.iterdir()] == ["repository"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"platform": "onx"}, "platform: 'onx' is not one of python, torch"),
        ({"fp16": True}, "fp16: platform python runs the network as it was"),
        ({"streams_per_gpu": 0}, "streams_per_gpu: 0"),
        ({"instances_per_gpu": 0}, "instances_per_gpu: 0 must be"),
        ({"idle_timeout": 0.0}, "idle_timeout: 0.0 must be a positive"),
        ({"network_batch_size": 15}, "network_batch_size: 15 .* least 16"),
        ({"batch_size": 0}, "batch_size: 0"),
        ({"psd_length": 0.5}, "psd_length: 0.5 s must be at least"),
        ({"inference_sampling_rate": 3.0}, "inference_sampling_rate: 3 Hz"),
    ],
)
def test_values_out_of_range(run_dir, repository, changes, message, settings):
    with pytest.raises(UserError, match=message):
        export(run_dir, repository, **settings | changes)
    assert not repository.exists()


def test_training_that_is_not_complete(run_dir, repository, settings):
    (run_dir / "model.pt").unlink()
    with pytest.raises(UserError, match=r"no weights at .*model\.pt"):
        export(run_dir, repository, **settings)
    (run_dir / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"no manifest at .*manifest\.json"):
        export(run_dir, repository, **settings)


def test_weights_of_another_training(run_dir, repository, rewrite, settings):
    rewrite(weights_sha256="0" * 64)
    with pytest.raises(UserError, match="expected 0000"):
        export(run_dir, repository, **settings)


def test_foreign_weights(run_dir, repository, rewrite, settings):
    (run_dir / "model.pt").write_text("no weights")
    rewrite(weights_sha256=sha256(run_dir / "model.pt"))
    with pytest.raises(UserError, match="is not a TorchScript file"):
        export(run_dir, repository, **settings)


def test_network_of_another_input(run_dir, repository, rewrite, settings):
    rewrite(inputs=(InputSpec("X", (3, 64)),))
    with pytest.raises(UserError, match=r"input X .* has \(2, 64\)"):
        export(run_dir, repository, **settings)


def test_network_with_two_outputs_a_kernel(
    run_dir, repository, rewrite, settings
):
    network = torch.jit.trace(torch.nn.Flatten(), torch.zeros(2, 2, 64))
    network.save(run_dir / "model.pt")
    rewrite(weights_sha256=sha256(run_dir / "model.pt"))
    with pytest.raises(UserError, match="one number a kernel"):
        export(run_dir, repository, **settings)


def test_command_line(
    run_dir, repository, monkeypatch, capsys, settings, parse
):
    arguments = {"run_dir": run_dir, "repository": repository, **settings}
    arguments |= {"platform": "torchscript", "network_batch_size": 48}
    line = [f"--{key}={value}" for key, value in arguments.items()]
    monkeypatch.setattr("sys.argv", ["export", *line])
    main()
    assert (repository / "manifest.json").is_file()
    network = parse(repository, "aframe")
    assert network.platform == "pytorch_libtorch"
    assert network.max_batch_size == 48
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "complete already" in capsys.readouterr().err
