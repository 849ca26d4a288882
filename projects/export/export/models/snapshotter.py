"""Python backend: keeps the last seconds of every sequence.

Runs ``model.pt``: (update, state) -> (full, state).
"""

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """State of sequences, by correlation id."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model; called by the server."""
        torch.set_num_threads(1)
        config = json.loads(args["model_config"])
        folder = Path(args["model_repository"]) / args["model_version"]
        parameters = config["parameters"]
        self.state_size = int(parameters["state_size"]["string_value"])
        self.slots = int(parameters["slots"]["string_value"])
        self.model = torch.jit.load(folder / "model.pt", map_location="cpu")
        self.states: OrderedDict[Any, torch.Tensor] = OrderedDict()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer requests; called by the server."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        tensor = pb_utils.get_input_tensor_by_name(request, "strain")
        update = torch.from_dlpack(tensor.to_dlpack())
        try:
            state = self._state(request, update)
        except ValueError as error:
            return pb_utils.InferenceResponse(
                error=pb_utils.TritonError(str(error))
            )
        with torch.inference_mode():
            full, state = self.model(update, state)
        self._keep(request, state)
        output = pb_utils.Tensor.from_dlpack("full", full.contiguous())
        return pb_utils.InferenceResponse([output])

    def _state(self, request: Any, update: torch.Tensor) -> torch.Tensor:
        """State that the sequence's previous request left."""
        shape = (*update.shape[:2], self.state_size)
        if request.flags() & pb_utils.TRITONSERVER_REQUEST_FLAG_SEQUENCE_START:
            return torch.zeros(shape)
        sequence = request.correlation_id()
        state = self.states.get(sequence)
        if state is None:
            raise ValueError(f"no state of sequence {sequence}: start it anew")
        if state.shape != shape:
            raise ValueError(
                f"sequence {sequence} began with {state.size(0)} streams and "
                f"goes on with {update.size(0)}"
            )
        return state

    def _keep(self, request: Any, state: torch.Tensor) -> None:
        """Store the state until the sequence ends or is abandoned."""
        sequence = request.correlation_id()
        self.states.pop(sequence, None)
        if request.flags() & pb_utils.TRITONSERVER_REQUEST_FLAG_SEQUENCE_END:
            return
        self.states[sequence] = state
        # The server runs at most this many sequences: the one least
        # recently heard of has timed out.
        while len(self.states) > self.slots:
            self.states.popitem(last=False)
