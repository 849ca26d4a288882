"""The network as a TensorRT engine, built on the GPU at hand.

An engine serves on the kind of GPU and the version of TensorRT that it was
built with: build it inside the server's container image.
"""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from conventions.errors import UserError
from torch import Tensor

from export.configs import OUTPUT

ALTERNATIVES = "choose platform onnx, torchscript or python, or export"


def check_gpu() -> ModuleType:
    """Check that an engine can be built here.

    Returns:
        The package ``tensorrt``.

    Raises:
        UserError: if there is no GPU or no TensorRT.
    """
    if not torch.cuda.is_available():
        raise UserError(
            "platform tensorrt builds an engine on the GPU that will run "
            f"it, and torch sees none here: {ALTERNATIVES} where one is"
        )
    try:
        import tensorrt
    except ImportError as error:
        raise UserError(
            f"platform tensorrt needs TensorRT's Python package ({error}): "
            "install the version of the server (pip install tensorrt-cu12), "
            f"{ALTERNATIVES} inside the server's container image"
        ) from error
    return tensorrt


def build(onnx_file: Path, path: Path, batch_sizes: Sequence[int]) -> None:
    """Build an engine.

    Types are those of the file: a network in half precision is written so
    to the file, since TensorRT 11 has no switch for it any more.

    Args:
        onnx_file: the network, the batch first in each input.
        path: of the engine.
        batch_sizes: the usual and the largest number of samples.

    Raises:
        UserError: if TensorRT does not take the network.
    """
    trt = check_gpu()
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    flag = trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    network = builder.create_network(1 << int(flag))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(onnx_file)):
        raise UserError(
            "TensorRT does not take the network: "
            f"{parser.get_error(0).desc()}; {ALTERNATIVES} another network"
        )
    config = builder.create_builder_config()
    # Its ten bits of mantissa would move statistics by 1e-3.
    config.clear_flag(trt.BuilderFlag.TF32)
    usual, largest = batch_sizes
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        shape = tuple(tensor.shape)[1:]
        profile.set_shape(
            tensor.name, (1, *shape), (usual, *shape), (largest, *shape)
        )
    config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise UserError(
            "TensorRT could not build an engine for batches of up to "
            f"{largest} kernels: lower network_batch_size, or {ALTERNATIVES} "
            "on a GPU with more memory"
        )
    path.write_bytes(engine)


def run(
    path: Path, names: Sequence[str], examples: Sequence[Tensor]
) -> Tensor:
    """Evaluate samples with an engine.

    Args:
        path: of the engine.
        names: of its inputs.
        examples: of its inputs, of shape ``(batch, ...)``.

    Returns:
        Detection statistics of shape ``(batch, 1)``, on the CPU.
    """
    trt = check_gpu()
    runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
    engine = runtime.deserialize_cuda_engine(path.read_bytes())
    context: Any = engine.create_execution_context()
    inputs = [example.cuda().contiguous() for example in examples]
    output = torch.empty((len(inputs[0]), 1), device="cuda")
    for name, tensor in zip(names, inputs, strict=True):
        context.set_input_shape(name, tuple(tensor.shape))
        context.set_tensor_address(name, tensor.data_ptr())
    context.set_tensor_address(OUTPUT, output.data_ptr())
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    if not context.execute_async_v3(stream.cuda_stream):
        raise RuntimeError(f"TensorRT could not run the engine {path}")
    stream.synchronize()
    return output.cpu()
