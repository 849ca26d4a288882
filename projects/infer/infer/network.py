"""A trained network on a device, fed with whitened channels."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from preprocessing.representations import Inputs
from torch import Tensor

# On a CPU: chunks in threads take no barrier in every layer, as torch's own
# threads do.
CPU_CHUNK = 64
GPU_CHUNK = 2048
# Batches on a GPU come in this many sizes: the best algorithm is looked for
# in each.
GPU_SIZES = 8
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Network:
    """Evaluates the network on kernels cut out of whitened channels.

    Args:
        weights: the TorchScript file.
        inputs: makes the network's inputs of kernels.
        device: where it runs.
        precision: see :class:`infer.direct.DirectEngine`.
        chunk: kernels that are evaluated at once; None for the default.

    Attributes:
        module: the network itself.
    """

    def __init__(
        self,
        weights: Path,
        inputs: Inputs,
        device: torch.device,
        precision: str,
        chunk: int | None,
    ) -> None:
        self.device = device
        self.precision = precision
        self.dtype = DTYPES.get(precision, torch.float32)
        self.module = torch.jit.load(weights, map_location=device).eval()
        if self.dtype != torch.float32:
            self.module = self.module.to(self.dtype)
        self.inputs = inputs.to(device).eval()
        default = CPU_CHUNK if device.type == "cpu" else GPU_CHUNK
        self.chunk = chunk or default

    def workers(self) -> ThreadPoolExecutor:
        """Threads for :meth:`launch`.

        One for each core; for a GPU two, so that one has queued its kernels
        while the other waits for its answers.
        """
        cores = len(os.sched_getaffinity(0))
        return ThreadPoolExecutor(
            cores if self.device.type == "cpu" else 2,
            initializer=torch.set_num_threads,
            initargs=(1,),
        )

    @contextmanager
    def settings(self) -> Iterator[None]:
        """Set what torch has for the whole process, for an evaluation."""
        if self.device.type != "cuda":
            yield
            return
        with torch.backends.cudnn.flags(
            enabled=True,
            benchmark=True,
            deterministic=False,
            allow_tf32=self.precision == "tf32",
        ):
            yield

    def launch(
        self, pool: ThreadPoolExecutor, kernels: Tensor, index: Tensor
    ) -> "list[Future[NDArray[np.float32]]]":
        """Start to evaluate some kernels.

        Args:
            pool: of :meth:`workers`.
            kernels: all kernels of all channels, a view of shape ``(row,
                kernel, kernel_size)`` of whitened strain.
            index: which to evaluate, of shape ``(batch, ifo + 1)``: the
                channels' rows, and last the kernel.

        Returns:
            Detection statistics in order, in pieces.
        """
        return [
            pool.submit(self._evaluate, kernels, piece)
            for piece in index.split(self.chunk)
        ]

    def _evaluate(self, kernels: Tensor, index: Tensor) -> NDArray[np.float32]:
        size = len(index)
        if self.device.type != "cpu":
            index = self._padded(index).to(self.device)
        with torch.inference_mode():
            batch = self._gathered(kernels, index)
            inputs = self.inputs(batch)
            answers = self.module(*(one.to(self.dtype) for one in inputs))
            return answers.flatten()[:size].float().cpu().numpy()

    def _gathered(self, kernels: Tensor, index: Tensor) -> Tensor:
        if self.device.type != "cpu":
            return kernels[index[:, :-1], index[:, -1:]]
        # Several times faster than the same in torch.
        chosen = index.numpy()
        return torch.from_numpy(
            kernels.numpy()[chosen[:, :-1], chosen[:, -1:]]
        )

    def _padded(self, index: Tensor) -> Tensor:
        """Repeat the last kernel up to one of few sizes."""
        step = -(-self.chunk // GPU_SIZES)
        missing = -len(index) % step
        return torch.cat([index, index[-1:].expand(missing, -1)])
