"""The network alone, which everything else is compared with."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from pathlib import Path

import torch

SIZES_ON_CPU = (8, 16, 32, 64, 128, 256, 512)
SIZES_ON_GPU = (256, 1024, 2048, 4096)
FINALISTS = 3
"""Of the ways to evaluate it, those that are measured for longer."""
SUSTAINED_SECONDS = 2.0


class Alone:
    """A network that evaluates kernels in memory in the best of many ways.

    Those that are fastest in short trials are measured for longer.

    Args:
        weights: the TorchScript file.
        device: where it runs.
        shape: of a kernel.

    Attributes:
        best: the batch size, and whose threads share the work.
    """

    def __init__(
        self, weights: Path, device: torch.device, shape: list[int]
    ) -> None:
        self.network = torch.jit.load(weights, map_location=device).eval()
        self.device = device
        cpu = device.type == "cpu"
        sizes = SIZES_ON_CPU if cpu else SIZES_ON_GPU
        total = max(sizes) * (4 if cpu else 8)
        self.kernels = torch.randn(total, *shape, device=device)
        self.pool = ThreadPoolExecutor(
            len(os.sched_getaffinity(0)),
            initializer=torch.set_num_threads,
            initargs=(1,),
        )
        ways: dict[str, Callable[[int], object]] = {
            "torch's own threads": self._one_by_one
        }
        if cpu:
            ways["a batch to a thread"] = self._side_by_side
        trials = []
        for name, way in ways.items():
            for size in sizes:
                self._seconds(way, size)
                label = f"batches of {size}, {name}"
                trials.append((self._seconds(way, size), label, way, size))
        rates = {}
        finalists = sorted(trials, key=itemgetter(0))[:FINALISTS]
        for _, label, way, size in finalists:
            self._way, self._size = way, size
            rates[label] = self.rate(), way, size
        self.best = max(rates, key=lambda label: rates[label][0])
        _, self._way, self._size = rates[self.best]

    def rate(self) -> float:
        """Kernels a second, in the best way found."""
        rounds, spent = 0, 0.0
        while spent < SUSTAINED_SECONDS:
            spent += self._seconds(self._way, self._size)
            rounds += 1
        return rounds * len(self.kernels) / spent

    def _evaluate(self, batch: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return self.network(batch)

    def _one_by_one(self, size: int) -> object:
        return [self._evaluate(batch) for batch in self.kernels.split(size)]

    def _side_by_side(self, size: int) -> object:
        return list(self.pool.map(self._evaluate, self.kernels.split(size)))

    def _seconds(self, way: Callable[[int], object], size: int) -> float:
        # As the engines set it: torch alone would take TF32 on a GPU.
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=True, deterministic=False, allow_tf32=False
        ):
            began = time.perf_counter()
            way(size)
            if self.device.type != "cpu":
                torch.cuda.synchronize(self.device)
            return time.perf_counter() - began
