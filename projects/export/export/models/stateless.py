"""Python backend: runs ``model.pt`` on the inputs, in the config's order.

Outputs take the shapes that the config gives them. Requests that the server
batched become one batch of the model. On a CPU, a ``chunk`` other than 0
spreads samples over all cores, at most so many at a time to a thread: that
takes no barrier in every layer, which is what makes torch's own threads slow
as soon as another process wants a core.
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
            # Single precision means that on every device.
            torch.backends.cudnn.allow_tf32 = False
        self.cores = number_of_cores()
        self.pool = ThreadPoolExecutor(
            self.cores,
            initializer=torch.set_num_threads,
            initargs=(1,),
        )
        self.batches = int(config["max_batch_size"]) > 0
        self.inputs = [entry["name"] for entry in config["input"]]
        self.outputs = {
            entry["name"]: self._shape(entry) for entry in config["output"]
        }
        self.model = torch.jit.load(
            folder / "model.pt", map_location=self.device
        ).eval()

    def _shape(self, entry: dict[str, Any]) -> list[int]:
        shape = [int(size) for size in entry["dims"]]
        return [-1, *shape] if self.batches else shape

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer requests; called by the server."""
        if self.batches:
            return self._answer(requests)
        return [self._answer([request])[0] for request in requests]

    def _answer(self, requests: list[Any]) -> list[Any]:
        """Answer requests from one batch of the model."""
        X = [self._gather(requests, name) for name in self.inputs]
        sizes = [len(part) for part in X[0]]
        Y = self._run([torch.cat(parts).to(self.device) for parts in X])
        tensors: list[list[Any]] = [[] for _ in requests]
        for y, (name, shape) in zip(Y, self.outputs.items(), strict=True):
            y = y.float().cpu().reshape(shape).contiguous()
            parts = y.split(sizes) if self.batches else [y]
            for answer, part in zip(tensors, parts, strict=True):
                answer.append(pb_utils.Tensor.from_dlpack(name, part))
        return [pb_utils.InferenceResponse(answer) for answer in tensors]

    def _gather(self, requests: list[Any], name: str) -> list[torch.Tensor]:
        """One input of all requests."""
        return [
            torch.from_dlpack(
                pb_utils.get_input_tensor_by_name(request, name).to_dlpack()
            )
            for request in requests
        ]

    def _run(self, X: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Run the model, in chunks where that is wanted."""
        if not self.chunk:
            return self._run_chunk(*X)
        chunk = min(self.chunk, -(-len(X[0]) // self.cores))
        pieces = [tensor.split(chunk) for tensor in X]
        answers = self.pool.map(self._run_chunk, *pieces)
        return tuple(map(torch.cat, zip(*answers, strict=True)))

    def _run_chunk(self, *X: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with torch.inference_mode():
            Y = self.model(*X)
        return Y if isinstance(Y, tuple) else (Y,)
