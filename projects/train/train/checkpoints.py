"""Checkpoints that are complete or absent, and loaded without pickles."""

from pathlib import Path
from typing import Any

import torch
from conventions.files import complete
from lightning.pytorch.plugins.io import TorchCheckpointIO


class CompleteCheckpointIO(TorchCheckpointIO):
    """Write beside the target and rename; load tensors and numbers only."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any | None = None,
    ) -> None:
        """Write a checkpoint, complete or not at all."""
        with complete(path) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Load a checkpoint with ``weights_only=True``, whatever is asked."""
        return torch.load(path, map_location=map_location, weights_only=True)
