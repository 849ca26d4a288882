"""Repositories for the vendor's backends, run as those would run them.

The backends themselves are not at hand: this follows their documentation.
PyTorch: the arguments of ``forward`` are the tensors ``name__index`` in the
order of the index, outputs likewise; the state that a request leaves is that
of the sequence's next one; a control input says where a sequence starts.
"""

import re

import pytest
import torch
from export.main import export
from preprocessing.manifest import Manifest

MODELS = ("snapshotter", "preprocessor", "aframe")


@pytest.fixture(params=["torchscript", "onnx"])
def platform(request):
    if request.param == "onnx":
        request.getfixturevalue("onnx")
    return request.param


class Torch:
    """A model of the platform ``pytorch_libtorch``."""

    def __init__(self, folder, config):
        assert config.platform == "pytorch_libtorch"
        self.model = torch.jit.load(folder / "1" / "model.pt")
        self.config = config
        self.states = {}
        sequence = config.sequence_batching
        names = [entry.name for entry in config.input]
        names += [entry.name for entry in sequence.control_input]
        names += [entry.input_name for entry in sequence.state]
        assert all(re.fullmatch(r"INPUT__\d+", name) for name in names)
        arguments = self.model.forward.schema.arguments[1:]
        assert sorted(names) == [f"INPUT__{i}" for i in range(len(arguments))]
        outputs = [entry.name for entry in config.output]
        outputs += [entry.output_name for entry in sequence.state]
        assert all(re.fullmatch(r"OUTPUT__\d+", name) for name in outputs)

    def __call__(self, tensors, start):
        sequence = self.config.sequence_batching
        for control in sequence.control_input:
            values = control.control[0].int32_false_true
            tensors[control.name] = torch.tensor([values[start]]).int()
        for state in sequence.state:
            if start:
                # Whatever lies in memory, where a dimension may vary once.
                shape = [max(size, 1) for size in state.dims]
                tensors[state.input_name] = torch.full(shape, torch.nan)
            else:
                kept = self.states[state.output_name]
                tensors[state.input_name] = kept
        ordered = sorted(tensors, key=lambda name: int(name[7:]))
        with torch.inference_mode():
            answers = self.model(*(tensors[name] for name in ordered))
        if isinstance(answers, torch.Tensor):
            answers = (answers,)
        found = {f"OUTPUT__{i}": y for i, y in enumerate(answers)}
        for state in sequence.state:
            self.states[state.output_name] = found.pop(state.output_name)
        return found


class Onnx:
    """A model of the platform ``onnxruntime_onnx``."""

    def __init__(self, folder, config):
        import onnxruntime

        assert config.platform == "onnxruntime_onnx"
        path = folder / "1" / "model.onnx"
        self.session = onnxruntime.InferenceSession(
            path, providers=["CPUExecutionProvider"]
        )
        found = {
            entry.name: list(entry.shape)
            for entry in self.session.get_inputs() + self.session.get_outputs()
        }
        for entry in [*config.input, *config.output]:
            assert found.pop(entry.name) == ["batch", *entry.dims]
        assert not found

    def __call__(self, tensors, start):
        feed = {name: X.numpy() for name, X in tensors.items()}
        outputs = self.session.get_outputs()
        answers = self.session.run(None, feed)
        return {
            output.name: torch.from_numpy(y)
            for output, y in zip(outputs, answers, strict=True)
        }


def fits(dims, shape):
    return len(dims) == len(shape) and all(
        size in (-1, found) for size, found in zip(dims, shape, strict=True)
    )


class Ensemble:
    """Steps of the ensemble, each tensor checked against its shape."""

    def __init__(self, repository, parse):
        self.config = parse(repository, "aframe-stream")
        self.models, self.configs = {}, {}
        for name in MODELS:
            config = self.configs[name] = parse(repository, name)
            kind = Onnx if "onnx" in config.platform else Torch
            self.models[name] = kind(repository / name, config)

    def __call__(self, strain, start):
        tensors = {"strain": strain}
        for step in self.config.ensemble_scheduling.step:
            config = self.configs[step.model_name]
            inputs = {
                name: tensors[source]
                for name, source in step.input_map.items()
            }
            self.check(config, config.input, inputs)
            outputs = self.models[step.model_name](inputs, start)
            self.check(config, config.output, outputs)
            for name, target in step.output_map.items():
                tensors[target] = outputs[name]
        answer = tensors["detection_statistic"]
        assert fits(self.config.output[0].dims, answer.shape)
        return answer

    def check(self, config, entries, tensors):
        batch = [-1] if config.max_batch_size else []
        for entry in entries:
            tensor = tensors[entry.name]
            assert tensor.dtype == torch.float32
            assert fits([*batch, *entry.dims], tensor.shape)
            if batch:
                assert len(tensor) <= config.max_batch_size


def test_streams_of_every_kind_of_network(
    any_run_dir, repository, settings, parse, reference, platform
):
    manifest = export(any_run_dir, repository, platform=platform, **settings)
    assert manifest == Manifest.read(repository / "manifest.json")
    assert manifest.platform == platform
    ensemble = Ensemble(repository, parse)
    size = ensemble.config.input[0].dims[2]
    for streams in (2, 1):  # the state of one sequence is none of the next
        updates = 1e-21 * torch.randn(5, streams, 2, size)
        expected = list(reference(any_run_dir, manifest, updates))
        for number, update in enumerate(updates):
            found = ensemble(update, start=number == 0)
            assert found.shape == (8 * streams, 1)
            torch.testing.assert_close(
                found, expected[number], rtol=1e-4, atol=1e-4
            )
        assert torch.cat(expected).std() > 0.01


def test_a_sequence_keeps_its_number_of_streams(
    run_dir, repository, settings, parse
):
    export(run_dir, repository, platform="torchscript", **settings)
    ensemble = Ensemble(repository, parse)
    update = torch.randn(2, 2, ensemble.config.input[0].dims[2])
    ensemble(update[:1], start=True)
    with pytest.raises(torch.jit.Error, match="changed its number of streams"):
        ensemble(update, start=False)


def test_configurations(run_dir, repository, settings, parse, platform):
    export(
        run_dir,
        repository,
        platform=platform,
        streams_per_gpu=3,
        instances_per_gpu=2,
        network_batch_size=40,
        idle_timeout=7.5,
        **settings,
    )
    names = {"aframe", "preprocessor", "snapshotter", "aframe-stream"}
    folders = {path.name for path in repository.iterdir() if path.is_dir()}
    assert folders == names
    files = {path.name for path in repository.glob("*/1/*")}
    network = "model.onnx" if platform == "onnx" else "model.pt"
    assert files == {"model.pt", network}
    snapshotter = parse(repository, "snapshotter")
    batching = snapshotter.sequence_batching
    assert batching.oldest.max_candidate_sequences == 3
    assert batching.max_sequence_idle_microseconds == 7_500_000
    assert list(batching.state[0].dims) == [-1, 2, (4 + 1) * 128 - 32]
    network = parse(repository, "aframe")
    assert network.max_batch_size == 40
    assert network.HasField("dynamic_batching")
    assert network.instance_group[0].count == 2
    accelerators = network.optimization.execution_accelerators
    found = [
        (accelerator.name, dict(accelerator.parameters))
        for accelerator in accelerators.gpu_execution_accelerator
    ]
    # No TensorFloat-32, as on the platforms that have a switch for it.
    expected = [("cuda", {"use_tf32": "0"})] if platform == "onnx" else []
    assert found == expected
    assert not parse(repository, "aframe-stream").max_batch_size
    for name in names - {"aframe-stream"}:
        assert not parse(repository, name).backend


def test_no_device_is_written_into_the_models(run_dir, repository, settings):
    """A server moves weights to its GPU; constants stay where they are."""
    export(run_dir, repository, platform="torchscript", **settings)
    for name in MODELS:
        model = torch.jit.load(repository / name / "1" / "model.pt")
        graph = str(model.inlined_graph)
        devices = re.findall(r'value="(cpu|cuda[^"]*)"', graph)
        assert not devices, f"{name}: {devices}"
