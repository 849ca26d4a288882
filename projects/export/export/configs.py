"""Configurations of the models, in the server's own protobuf."""

import json
from collections.abc import Iterator, Mapping, Sequence

from google.protobuf import text_format
from preprocessing.manifest import Manifest
from tritonclient.grpc.model_config_pb2 import (
    TYPE_FP32,
    ModelConfig,
    ModelEnsembling,
    ModelInput,
    ModelInstanceGroup,
    ModelOutput,
)

NETWORK = "aframe"
PREPROCESSOR = "preprocessor"
SNAPSHOTTER = "snapshotter"
ENSEMBLE = "aframe-stream"
IDLE_SECONDS = 120
# Kernels that one thread takes at a time, where a CPU runs the network.
CHUNK = 32


def _model(
    name: str,
    inputs: Mapping[str, Sequence[int]],
    outputs: Mapping[str, Sequence[int]],
) -> ModelConfig:
    """A model with float32 inputs and outputs, by name and shape."""
    return ModelConfig(
        name=name,
        input=[
            ModelInput(name=key, data_type=TYPE_FP32, dims=dims)
            for key, dims in inputs.items()
        ],
        output=[
            ModelOutput(name=key, data_type=TYPE_FP32, dims=dims)
            for key, dims in outputs.items()
        ],
    )


def _python(
    config: ModelConfig,
    kind: "ModelInstanceGroup.Kind.ValueType",
    **parameters: int,
) -> ModelConfig:
    """Let the Python backend run one instance of a model."""
    config.backend = "python"
    config.instance_group.add(count=1, kind=kind)
    for name, value in parameters.items():
        config.parameters[name].string_value = str(value)
    return config


def snapshotter(
    num_ifos: int, update_size: int, state_size: int, streams: int
) -> ModelConfig:
    """The stateful model.

    Args:
        num_ifos: number of interferometers.
        update_size: samples that a request brings.
        state_size: samples kept between requests.
        streams: sequences served at once; more of them wait their turn.
    """
    config = _model(
        SNAPSHOTTER,
        {"strain": [-1, num_ifos, update_size]},
        {"full": [-1, num_ifos, state_size + update_size]},
    )
    batching = config.sequence_batching
    batching.max_sequence_idle_microseconds = IDLE_SECONDS * 1_000_000
    batching.oldest.max_candidate_sequences = streams
    return _python(
        config,
        ModelInstanceGroup.KIND_CPU,
        state_size=state_size,
        slots=streams,
    )


def preprocessor(
    num_ifos: int, full_size: int, kernel_size: int
) -> ModelConfig:
    """The whitening model.

    Args:
        num_ifos: number of interferometers.
        full_size: samples of the stretch that holds all kernels of a
            request and the data of their PSD.
        kernel_size: samples in a kernel.
    """
    config = _model(
        PREPROCESSOR,
        {"full": [-1, num_ifos, full_size]},
        {"kernels": [-1, num_ifos, kernel_size]},
    )
    return _python(config, ModelInstanceGroup.KIND_AUTO, chunk=0)


def network(name: str, shape: Sequence[int]) -> ModelConfig:
    """The network.

    Args:
        name: of its input.
        shape: of one sample of it.
    """
    config = _model(
        NETWORK, {name: [-1, *shape]}, {"detection_statistic": [-1]}
    )
    return _python(config, ModelInstanceGroup.KIND_AUTO, chunk=CHUNK)


def ensemble(manifest: Manifest, update_size: int) -> ModelConfig:
    """The three models in a row, with the manifest in its parameters.

    Args:
        manifest: of the model repository.
        update_size: samples that a request brings.
    """
    config = _model(
        ENSEMBLE,
        {"strain": [-1, manifest.preprocessing.num_ifos, update_size]},
        {"detection_statistic": [-1]},
    )
    config.platform = "ensemble"
    config.parameters["manifest"].string_value = json.dumps(manifest.to_dict())
    kernels = manifest.inputs[0].name
    config.ensemble_scheduling.step.extend(
        [
            _step(SNAPSHOTTER, {"strain": "strain"}, {"full": "full"}),
            _step(PREPROCESSOR, {"full": "full"}, {"kernels": "kernels"}),
            _step(
                NETWORK,
                {kernels: "kernels"},
                {"detection_statistic": "detection_statistic"},
            ),
        ]
    )
    return config


def _step(
    name: str, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> ModelEnsembling.Step:
    return ModelEnsembling.Step(
        model_name=name,
        model_version=-1,
        input_map=inputs,
        output_map=outputs,
    )


def all_configs(
    manifest: Manifest, update_size: int, state_size: int, streams: int
) -> Iterator[ModelConfig]:
    """Configurations of a whole repository.

    Args:
        manifest: of the model repository.
        update_size: samples that a request brings.
        state_size: samples kept between requests.
        streams: sequences served at once.
    """
    settings = manifest.preprocessing
    num_ifos, full = settings.num_ifos, state_size + update_size
    yield snapshotter(num_ifos, update_size, state_size, streams)
    yield preprocessor(num_ifos, full, settings.kernel_size)
    yield network(manifest.inputs[0].name, manifest.inputs[0].shape)
    yield ensemble(manifest, update_size)


def to_text(config: ModelConfig) -> str:
    """The content of ``config.pbtxt``."""
    return text_format.MessageToString(config)
