"""The network in this process; needs the torch extra of this project."""

import os
from concurrent.futures import ThreadPoolExecutor
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
# Kernels that one thread takes at a time on a CPU. Chunks in threads take
# no barrier in every layer, as torch's own threads do.
CHUNK = 32


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
        self.pool = ThreadPoolExecutor(
            len(os.sched_getaffinity(0)),
            initializer=torch.set_num_threads,
            initargs=(1,),
        )
        self.whitener = BatchWhitener(
            manifest.preprocessing,
            manifest.psd_length,
            manifest.inference_sampling_rate,
            manifest.batch_size,
        ).to(self.device)

    def whiten(self, full: "torch.Tensor") -> "torch.Tensor":
        """Kernels of one request.

        Args:
            full: strain of shape ``(S, ifo, state_size + update_size)``.

        Returns:
            Whitened kernels of shape ``(S * batch_size, ifo, kernel_size)``.
        """
        with _torch().inference_mode():
            return self.whitener(full.to(self.device))

    def evaluate(self, kernels: "torch.Tensor") -> NDArray[np.float32]:
        """Run the network.

        Args:
            kernels: of shape ``(batch, ifo, kernel_size)``.

        Returns:
            Detection statistics of shape ``(batch,)``.
        """
        if self.device.type != "cpu":
            return self._network(kernels).cpu().numpy()
        pieces = self.pool.map(self._network, kernels.split(CHUNK))
        return np.concatenate([piece.numpy() for piece in pieces])

    def _network(self, kernels: "torch.Tensor") -> "torch.Tensor":
        with _torch().inference_mode():
            return self.network(kernels).float().flatten()

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
        num_samples = stream.shape[-1]
        layout = StreamLayout.from_manifest(self.manifest, num_samples)
        shape = (stream.shape[0], -1)
        burn_in = np.full((stream.shape[0], layout.burn_in), np.nan)
        kept = [burn_in.astype(np.float32)]
        requests = [
            (request, counted)
            for request in range(layout.num_requests)
            if (counted := layout.outputs_of(request)).start < counted.stop
        ]

        def kernels(request: int) -> "torch.Tensor":
            return self.whiten(self._stretch(stream, layout, request))

        # A thread whitens the next request under the network's work.
        whitened = self.pool.submit(kernels, requests[0][0])
        for position, (_, counted) in enumerate(requests, start=1):
            ready = whitened.result()
            if position < len(requests):
                whitened = self.pool.submit(kernels, requests[position][0])
            answers = self.evaluate(ready).reshape(shape)
            kept.append(answers[:, counted])
        return np.concatenate(kept, axis=1)

    def _stretch(
        self,
        stream: NDArray[np.floating[Any]],
        layout: StreamLayout,
        request: int,
    ) -> "torch.Tensor":
        """All strain that a request depends on, zeros outside the segment."""
        size = layout.state_size + layout.update_size
        first = layout.first_sample(request) - layout.state_size
        begin, end = max(first, 0), min(first + size, stream.shape[-1])
        full = np.zeros((*stream.shape[:2], size), np.float32)
        full[..., begin - first : end - first] = stream[..., begin:end]
        return _torch().from_numpy(full)
