"""Checkpoints that are complete or absent, and loaded without pickles."""

from pathlib import Path
from typing import Any

import torch
from conventions.files import complete
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO


class MovableCheckpoint(ModelCheckpoint):
    """Knows what the best score was, wherever its directory has moved to.

    Such as to another machine, where a run in a store goes on. Lightning
    forgets it, and then takes the next epoch for the best.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state of a directory with the same files."""

        def moved(path: str) -> str:
            return str(Path(self.dirpath) / Path(path).name) if path else path

        paths = "best_model_path", "kth_best_model_path", "last_model_path"
        scores = state_dict["best_k_models"].items()
        super().load_state_dict(
            state_dict
            | {name: moved(state_dict[name]) for name in paths}
            | {
                "dirpath": self.dirpath,
                "best_k_models": {moved(k): score for k, score in scores},
            }
        )


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
