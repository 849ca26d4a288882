"""The network in this process; needs the torch extra of this project."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from conventions.errors import UserError
from numpy.typing import NDArray
from preprocessing.manifest import Manifest, sha256

from infer.layout import StreamLayout

if TYPE_CHECKING:
    import torch

WEIGHTS = "model.pt"


def _torch() -> Any:
    try:
        import ml4gw  # noqa: F401
        import torch
    except ImportError as error:
        raise UserError(
            f"inference in process needs {error.name}: install the project "
            'with its torch extra ("infer[torch]"), or use a server'
        ) from error
    return torch


class DirectEngine:
    """Runs a trained network on strain, without a server.

    Gives the same outputs as the ensemble ``aframe-stream``.

    Args:
        model: directory of a training, or its ``model.pt``.
        manifest: of a model repository, or that of the training extended by
            ``psd_length``, ``inference_sampling_rate`` and ``batch_size``.
        device: what torch calls the device.

    Raises:
        UserError: if torch or ml4gw is not installed, the weights are
            missing or not those of the manifest, or the manifest lacks the
            settings of inference.
    """

    def __init__(
        self, model: Path, manifest: Manifest, device: str = "cpu"
    ) -> None:
        torch = _torch()
        from preprocessing.batch import BatchWhitener

        path = Path(model)
        weights = path / WEIGHTS if path.is_dir() else path
        if not weights.is_file():
            raise UserError(f"there are no weights at {weights}")
        if (found := sha256(weights)) != manifest.weights_sha256:
            raise UserError(
                f"{weights} is not what the manifest was written for: its "
                f"SHA-256 is {found}, expected {manifest.weights_sha256}"
            )
        if manifest.batch_size is None:
            raise UserError(
                "the manifest lacks psd_length, inference_sampling_rate and "
                "batch_size: extend it"
            )
        self.manifest = manifest
        self.device = torch.device(device)
        self.network = torch.jit.load(weights, map_location=self.device).eval()
        self.whitener = BatchWhitener(
            manifest.preprocessing,
            manifest.psd_length,
            manifest.inference_sampling_rate,
            manifest.batch_size,
        ).to(self.device)

    def evaluate(self, full: "torch.Tensor") -> NDArray[np.float32]:
        """Outputs of one request.

        Args:
            full: strain of shape ``(S, ifo, state_size + update_size)``.

        Returns:
            Detection statistics of shape ``(S, batch_size)``.
        """
        torch = _torch()
        with torch.inference_mode():
            kernels = self.whitener(full.to(self.device))
            y = self.network(kernels).float().reshape(full.shape[0], -1)
        return y.cpu().numpy()

    def outputs(
        self, stream: NDArray[np.floating[Any]]
    ) -> NDArray[np.float32]:
        """Outputs of one contiguous segment.

        Args:
            stream: strain of shape ``(S, ifo, time)`` without gaps: S = 1
                (background) or 2 (background, injected).

        Returns:
            Detection statistics of shape ``(S, n_outputs)``, as many as are
            whole in the segment. Output n comes from the kernel whose right
            edge lies ``(n + 1) / inference_sampling_rate - fduration / 2``
            seconds after the segment's start. The first ``psd_length *
            inference_sampling_rate`` are burn-in: they are NaN.

        Raises:
            UserError: if the segment has no output after the burn-in.
        """
        torch = _torch()
        num_samples = stream.shape[-1]
        layout = StreamLayout.from_manifest(self.manifest, num_samples)
        size = layout.state_size + layout.update_size
        kept = [np.full((stream.shape[0], layout.burn_in), np.nan, np.float32)]
        for request in range(layout.num_requests):
            counted = layout.outputs_of(request)
            if counted.start == counted.stop:
                continue
            first = layout.first_sample(request) - layout.state_size
            begin, end = max(first, 0), min(first + size, num_samples)
            full = np.zeros((*stream.shape[:2], size), np.float32)
            full[..., begin - first : end - first] = stream[..., begin:end]
            answers = self.evaluate(torch.from_numpy(full))
            kept.append(answers[:, counted])
        return np.concatenate(kept, axis=1)
