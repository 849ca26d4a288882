"""Python backend: runs ``model.pt`` on the inputs, in the config's order.

The output takes the shape that the config gives it. On a CPU, a ``chunk``
other than 0 spreads samples over all cores, a chunk to a thread: that takes
no barrier in every layer, which is what makes torch's own threads slow as
soon as another process wants a core.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
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
        self.chunk = int(config["parameters"]["chunk"]["string_value"])
        self.device = torch.device("cpu")
        torch.set_num_threads(1)
        if args["model_instance_kind"] == "GPU":
            index = int(args["model_instance_device_id"])
            self.device = torch.device("cuda", index)
            self.chunk = 0
        self.pool = ThreadPoolExecutor(
            number_of_cores(),
            initializer=torch.set_num_threads,
            initargs=(1,),
        )
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
        X = [
            torch.from_dlpack(tensor.to_dlpack()).to(self.device)
            for tensor in tensors
        ]
        y = self._run(X).float().cpu().reshape(self.shape).contiguous()
        tensor = pb_utils.Tensor.from_dlpack(self.output, y)
        return pb_utils.InferenceResponse([tensor])

    def _run(self, X: list[torch.Tensor]) -> torch.Tensor:
        """Run the model, in chunks where that is wanted."""
        if not self.chunk:
            return self._run_chunk(*X)
        pieces = [tensor.split(self.chunk) for tensor in X]
        return torch.cat(list(self.pool.map(self._run_chunk, *pieces)))

    def _run_chunk(self, *X: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return self.model(*X)
