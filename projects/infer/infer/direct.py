"""The network in this process; needs the torch extra of this project."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from conventions.errors import UserError
from numpy.typing import NDArray
from preprocessing.manifest import Manifest, sha256

from infer.engine import Slide
from infer.layout import StreamLayout

WEIGHTS = "model.pt"
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")


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


def _device(torch: Any, name: str) -> Any:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        known = ["cpu"] + [
            f"cuda:{i} ({torch.cuda.get_device_name(i)})"
            for i in range(torch.cuda.device_count())
        ]
        raise UserError(
            f"device: {name!r} is not to be had; torch {torch.__version__} "
            f"has {', '.join(known)} here: {str(error).splitlines()[0]}"
        ) from error
    return device


class DirectEngine:
    """Evaluates a trained network in this process.

    Gives the same outputs as the ensemble ``aframe-stream``.

    All slides advance together, a request at a time. Of what is alike in
    several of them, a channel with the same delay, or the injected stream
    where no signal reaches, PSD, whitening and network are computed once.
    While the network works, a thread reads and whitens the next request.

    Memory has a bound whatever the slides' length: three requests of all
    slides are held at most, ``20 N S C (p + 2 w)`` bytes for N slides of S
    streams and C ifos, p samples of the PSD and w samples of what is
    whitened (``kernel_length + fduration + (batch_size - 1) /
    inference_sampling_rate`` seconds); temporaries of whitening 16 channels
    take ``16 * 64 (p + w)``, and the network what it needs for ``chunk``
    kernels, on a CPU once for each thread.

    Args:
        model: directory of a training, or its ``model.pt``.
        manifest: of a model repository, or that of the training extended by
            ``psd_length``, ``inference_sampling_rate`` and ``batch_size``.
        device: what torch calls the device.
        precision: of the network; PSD and whitening are computed in double
            precision always. ``fp32``, ``tf32`` (single precision, but
            convolutions on a GPU's tensor cores, whose products have 10
            bits), ``bf16`` or ``fp16``. See the README for the effect on
            the statistic.
        chunk: kernels that the network is given at once; by default 64 on
            a CPU, 2048 on a GPU.

    Attributes:
        manifest: see above.
        name: ``direct`` and the precision.

    Raises:
        UserError: if torch or ml4gw is not installed, the weights are
            missing or not those of the manifest, the manifest lacks the
            settings of inference, there is no such device, or a precision
            is unknown or not to be had on the device.
    """

    def __init__(
        self,
        model: Path,
        manifest: Manifest,
        device: str = "cpu",
        precision: str = "fp32",
        chunk: int | None = None,
    ) -> None:
        torch = _torch()
        from preprocessing.batch import BatchWhitener
        from preprocessing.representations import Inputs

        from infer.network import Network

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
        self.name = f"direct, {precision}"
        self.device = _device(torch, device)
        if precision not in PRECISIONS:
            raise UserError(
                f"precision: {precision!r} is not one of "
                f"{', '.join(PRECISIONS)}"
            )
        if precision == "tf32" and self.device.type != "cuda":
            raise UserError(
                f"precision: tf32 is a mode of NVIDIA's GPUs, not of {device}"
            )
        settings = manifest.preprocessing
        self.whitener = BatchWhitener(
            settings,
            manifest.psd_length,
            manifest.inference_sampling_rate,
            manifest.batch_size,
        ).to(self.device)
        self.network = Network(
            weights,
            Inputs(settings, manifest.inputs),
            self.device,
            precision,
            chunk,
        )

    def evaluate(
        self, slides: Sequence[Slide]
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Evaluate the network all along some slides.

        Args:
            slides: of one segment, to share as much as can be; each has a
                lasting cost in memory.

        Yields:
            See :meth:`infer.engine.Engine.evaluate`: a request of one slide
            after the other.

        Raises:
            UserError: if a slide has no output after the burn-in.
        """
        from infer.pipeline import evaluate

        layouts = [
            StreamLayout.from_manifest(self.manifest, slide.num_samples)
            for slide in slides
        ]
        if slides:
            with self.network.settings():
                yield from evaluate(
                    self.whitener, self.network, slides, layouts
                )
