"""The network as an ONNX file."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from conventions.errors import UserError
from torch import Tensor

from export.configs import OUTPUT

OPSET = 17


def write(
    module: torch.jit.ScriptModule,
    examples: Sequence[Tensor],
    names: Sequence[str],
    path: Path,
) -> None:
    """Write a network with batches of any size.

    Weights are a TorchScript trace, which torch's newer exporter to ONNX
    refuses: this is the older one.

    Args:
        module: the network, with an output of shape ``(batch, 1)``.
        examples: of its inputs, of shape ``(batch, ...)``.
        names: of its inputs.
        path: of the file.

    Raises:
        UserError: if ONNX has no counterpart of an operation.
    """
    import onnx

    axes = {name: {0: "batch"} for name in (*names, OUTPUT)}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                module,
                tuple(examples),
                path,
                input_names=list(names),
                output_names=[OUTPUT],
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(
                f"the network cannot be written as ONNX: {reason}; platforms "
                "python and torchscript run it as it is"
            ) from error
    onnx.checker.check_model(path, full_check=True)


def run(path: Path, examples: Sequence[Tensor]) -> Tensor:
    """Evaluate samples with ONNX Runtime on the CPU, in two batch sizes.

    Args:
        path: of the file.
        examples: of its inputs, in the order of the file, at least one.

    Returns:
        Detection statistics of shape ``(batch, 1)``; the first sample's
        comes from a batch of one.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    names = [entry.name for entry in session.get_inputs()]
    answers = []
    several = len(examples[0]) > 1
    for part in (slice(0, 1), slice(1, None))[: 1 + several]:
        feed = {
            name: example[part].numpy()
            for name, example in zip(names, examples, strict=True)
        }
        answers.append(torch.from_numpy(session.run([OUTPUT], feed)[0]))
    return torch.cat(answers)
