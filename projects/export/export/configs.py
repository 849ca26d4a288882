"""Configurations of the models, in the server's own protobuf."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf import text_format
from preprocessing.manifest import Manifest
from tritonclient.grpc.model_config_pb2 import (
    TYPE_FP32,
    ModelConfig,
    ModelEnsembling,
    ModelInput,
    ModelInstanceGroup,
    ModelOutput,
    ModelSequenceBatching,
)

NETWORK = "aframe"
PREPROCESSOR = "preprocessor"
SNAPSHOTTER = "snapshotter"
ENSEMBLE = "aframe-stream"
STRAIN = "strain"
FULL = "full"
OUTPUT = "detection_statistic"
# Kernels that one thread takes at most, where a CPU runs the network.
CHUNK = 64
# How long a request waits for others to share a batch with, where the
# network is idle; where it is not they gather anyway.
QUEUE_MICROSECONDS = 1000
# What Triton calls the platforms of the network.
TRITON_PLATFORMS = {
    "torchscript": "pytorch_libtorch",
    "onnx": "onnxruntime_onnx",
    "tensorrt": "tensorrt_plan",
}
Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How a repository is served.

    Attributes:
        platform: how the server runs the network.
        streams_per_gpu: sequences served at once by a GPU, or by a server
            without; more of them wait their turn.
        instances_per_gpu: copies of the network on a GPU.
        network_batch_size: most kernels in one batch of the network.
        idle_timeout: seconds without a request after which a sequence is
            given up.
    """

    platform: str
    streams_per_gpu: int
    instances_per_gpu: int
    network_batch_size: int
    idle_timeout: float


def _named(config: ModelConfig, inputs: Shapes, outputs: Shapes) -> None:
    """Give a model float32 inputs and outputs, by name and shape."""
    for name, dims in inputs.items():
        config.input.append(
            ModelInput(name=name, data_type=TYPE_FP32, dims=dims)
        )
    for name, dims in outputs.items():
        config.output.append(
            ModelOutput(name=name, data_type=TYPE_FP32, dims=dims)
        )


def _numbered(kind: str, shapes: Shapes) -> dict[str, Sequence[int]]:
    """Name tensors as the server's PyTorch backend knows them.

    A TorchScript file has no names of its outputs: the backend takes those
    of the form ``name__index``, and demands it of all where it keeps state.
    """
    return {
        f"{kind}__{index}": dims for index, dims in enumerate(shapes.values())
    }


def _torch_names(serving: Serving, model: str) -> bool:
    """Whether the server's PyTorch backend runs a model."""
    if model == NETWORK:
        return serving.platform == "torchscript"
    return serving.platform != "python"


def _model(
    serving: Serving, model: str, inputs: Shapes, outputs: Shapes
) -> ModelConfig:
    """A model with its backend and instances."""
    config = ModelConfig(name=model)
    if _torch_names(serving, model):
        inputs, outputs = (
            _numbered("INPUT", inputs),
            _numbered("OUTPUT", outputs),
        )
    _named(config, inputs, outputs)
    if serving.platform == "python":
        config.backend = "python"
    elif model == NETWORK:
        config.platform = TRITON_PLATFORMS[serving.platform]
    else:
        config.platform = TRITON_PLATFORMS["torchscript"]
    count, kind = 1, ModelInstanceGroup.KIND_AUTO
    if model == NETWORK:
        count = serving.instances_per_gpu
        if serving.platform == "tensorrt":
            kind = ModelInstanceGroup.KIND_GPU
    config.instance_group.add(count=count, kind=kind)
    return config


def _set(config: ModelConfig, **parameters: int) -> None:
    for name, value in parameters.items():
        config.parameters[name].string_value = str(value)


def snapshotter(
    serving: Serving, num_ifos: int, update_size: int, state_size: int
) -> ModelConfig:
    """The stateful model.

    Args:
        serving: how it is served.
        num_ifos: number of interferometers.
        update_size: samples that a request brings.
        state_size: samples kept between requests.
    """
    config = _model(
        serving,
        SNAPSHOTTER,
        {STRAIN: [-1, num_ifos, update_size]},
        {FULL: [-1, num_ifos, state_size + update_size]},
    )
    batching = config.sequence_batching
    batching.max_sequence_idle_microseconds = round(serving.idle_timeout * 1e6)
    batching.oldest.max_candidate_sequences = serving.streams_per_gpu
    if serving.platform == "python":
        _set(config, state_size=state_size, slots=serving.streams_per_gpu)
        return config
    batching.state.add(
        input_name="INPUT__1",
        output_name="OUTPUT__1",
        data_type=TYPE_FP32,
        dims=[-1, num_ifos, state_size],
    )
    # The first state of a sequence is undefined: the model is told.
    start = ModelSequenceBatching.Control(
        kind=ModelSequenceBatching.Control.CONTROL_SEQUENCE_START,
        int32_false_true=[0, 1],
    )
    batching.control_input.add(name="INPUT__2", control=[start])
    return config


def preprocessor(
    serving: Serving, manifest: Manifest, full_size: int
) -> ModelConfig:
    """The model that whitens and makes the network's inputs.

    Args:
        serving: how it is served.
        manifest: of the model repository.
        full_size: samples of the stretch that holds all kernels of a
            request and the data of their PSD.
    """
    config = _model(
        serving,
        PREPROCESSOR,
        {FULL: [-1, manifest.preprocessing.num_ifos, full_size]},
        {spec.name: [-1, *spec.shape] for spec in manifest.inputs},
    )
    if serving.platform == "python":
        _set(config, chunk=0)
    return config


def network(serving: Serving, manifest: Manifest) -> ModelConfig:
    """The network, which takes the kernels of several requests at once.

    Args:
        serving: how it is served.
        manifest: of the model repository.
    """
    config = _model(
        serving,
        NETWORK,
        {spec.name: spec.shape for spec in manifest.inputs},
        {OUTPUT: [1]},
    )
    config.max_batch_size = serving.network_batch_size
    batching = config.dynamic_batching
    batching.max_queue_delay_microseconds = QUEUE_MICROSECONDS
    if serving.platform == "python":
        _set(config, chunk=CHUNK)
    if serving.platform == "onnx":
        # Its ten bits of mantissa would move statistics by 1e-3.
        gpu = config.optimization.execution_accelerators
        cuda = gpu.gpu_execution_accelerator.add(name="cuda")
        cuda.parameters["use_tf32"] = "0"
    return config


def ensemble(
    manifest: Manifest,
    models: Sequence[ModelConfig],
    update_size: int,
    largest_difference: float,
) -> ModelConfig:
    """The models in a row, with the manifest in its parameters.

    Args:
        manifest: of the model repository.
        models: snapshotter, preprocessor and network.
        update_size: samples that a request brings.
        largest_difference: between the network's outputs here and those of
            torch; served as a parameter too.
    """
    config = ModelConfig(name=ENSEMBLE, platform="ensemble")
    strain = [-1, manifest.preprocessing.num_ifos, update_size]
    _named(config, {STRAIN: strain}, {OUTPUT: [-1, 1]})
    config.parameters["manifest"].string_value = json.dumps(manifest.to_dict())
    text = f"{largest_difference:.3g}"
    config.parameters["largest_difference"].string_value = text
    inputs = [f"input.{spec.name}" for spec in manifest.inputs]
    tensors = [[STRAIN], [FULL], inputs, [OUTPUT]]
    for model, taken, made in zip(models, tensors, tensors[1:], strict=False):
        config.ensemble_scheduling.step.append(
            ModelEnsembling.Step(
                model_name=model.name,
                model_version=-1,
                input_map=_wires(model.input, taken),
                output_map=_wires(model.output, made),
            )
        )
    return config


def _wires(
    ports: Sequence[ModelInput] | Sequence[ModelOutput], tensors: list[str]
) -> dict[str, str]:
    """Connect a model's inputs or outputs, in order."""
    return {port.name: name for port, name in zip(ports, tensors, strict=True)}


def all_configs(
    serving: Serving,
    manifest: Manifest,
    update_size: int,
    state_size: int,
    largest_difference: float,
) -> Iterator[ModelConfig]:
    """Configurations of a whole repository.

    Args:
        serving: how it is served.
        manifest: of the model repository.
        update_size: samples that a request brings.
        state_size: samples kept between requests.
        largest_difference: between the network's outputs here and those of
            torch.
    """
    num_ifos = manifest.preprocessing.num_ifos
    models = [
        snapshotter(serving, num_ifos, update_size, state_size),
        preprocessor(serving, manifest, state_size + update_size),
        network(serving, manifest),
    ]
    yield from models
    yield ensemble(manifest, models, update_size, largest_difference)


def to_text(config: ModelConfig) -> str:
    """The content of ``config.pbtxt``."""
    return text_format.MessageToString(config)
