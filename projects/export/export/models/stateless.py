"""Python backend: runs ``model.pt`` on the inputs, in the config's order.

The output takes the shape that the config gives it.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
import triton_python_backend_utils as pb_utils


def number_of_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


class TritonPythonModel:
    """A TorchScript file behind the server's interface."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model; called by the server."""
        config = json.loads(args["model_config"])
        folder = Path(args["model_repository"]) / args["model_version"]
        threads = int(config["parameters"]["threads"]["string_value"])
        torch.set_num_threads(threads or number_of_cores())
        self.device = torch.device("cpu")
        if args["model_instance_kind"] == "GPU":
            index = int(args["model_instance_device_id"])
            self.device = torch.device("cuda", index)
        self.inputs = [entry["name"] for entry in config["input"]]
        (output,) = config["output"]
        self.output = output["name"]
        self.shape = [int(size) for size in output["dims"]]
        self.model = torch.jit.load(
            folder / "model.pt", map_location=self.device
        ).eval()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer requests; called by the server."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        tensors = [
            pb_utils.get_input_tensor_by_name(request, name)
            for name in self.inputs
        ]
        with torch.inference_mode():
            X = [
                torch.from_dlpack(tensor.to_dlpack()).to(self.device)
                for tensor in tensors
            ]
            y = self.model(*X).float().cpu().reshape(self.shape).contiguous()
        tensor = pb_utils.Tensor.from_dlpack(self.output, y)
        return pb_utils.InferenceResponse([tensor])
