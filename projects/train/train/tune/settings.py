"""What is asked of a search."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conventions.errors import UserError


@dataclass(frozen=True)
class TuneSettings:
    """A search, and what each of its trials is given.

    A trial is a training of ``num_workers`` processes on one machine. With
    ``gpus_per_worker = 0`` it runs on CPUs, ``cpus_per_gpu`` for each
    process.

    Attributes:
        name: of the search, of its directory and of its W&B group.
        storage_dir: holds the directories of searches; all machines of the
            cluster see it under this path.
        space: what is searched, see :func:`train.tune.space.parse`.
        num_samples: trials.
        cpus_per_gpu: CPUs for each GPU.
        gpus_per_worker: GPUs of each process; a fraction lets that many
            trials share one.
        num_workers: processes of a trial.
        endpoint: ``host:port`` of the Ray Client server of a cluster; None:
            this machine.
        grace_period: epochs before which no trial is stopped.
        reduction_factor: of the trials that come to a rung, one in so many
            goes on (ASHA, arXiv:1810.05934).

    Raises:
        UserError: for values that make no search.
    """

    name: str
    storage_dir: Path
    space: Mapping[str, Any]
    num_samples: int = 8
    cpus_per_gpu: float = 1.0
    gpus_per_worker: float = 0.0
    num_workers: int = 1
    endpoint: str | None = None
    grace_period: int = 10
    reduction_factor: float = 4.0

    def __post_init__(self) -> None:
        if not self.name or self.name.startswith(".") or "/" in self.name:
            raise UserError(
                f"tune.name: {self.name!r} is no name of a directory"
            )
        for key in ("num_samples", "num_workers", "grace_period"):
            if getattr(self, key) < 1:
                raise UserError(
                    f"tune.{key}: {getattr(self, key)} is not at least 1"
                )
        if not 0 < self.cpus_per_gpu < math.inf:
            raise UserError(
                f"tune.cpus_per_gpu: {self.cpus_per_gpu} is not above 0"
            )
        if not 1 < self.reduction_factor < math.inf:
            raise UserError(
                f"tune.reduction_factor: {self.reduction_factor} is not "
                "above 1"
            )
        self._check_gpus()

    def _check_gpus(self) -> None:
        gpus = self.gpus_per_worker
        if not 0 <= gpus < math.inf or (gpus > 1 and gpus != int(gpus)):
            raise UserError(
                f"tune.gpus_per_worker: {gpus} is neither a whole number nor "
                "a fraction of one GPU"
            )
        if 0 < gpus < 1 and self.num_workers > 1:
            raise UserError(
                f"tune.gpus_per_worker: processes of one training cannot "
                f"share a GPU; {gpus} needs tune.num_workers = 1, not "
                f"{self.num_workers}"
            )

    @property
    def directory(self) -> Path:
        """Directory of the search."""
        return self.storage_dir / self.name

    @property
    def resources(self) -> dict[str, float]:
        """CPUs and GPUs of one trial, by Ray's names."""
        gpus = self.num_workers * self.gpus_per_worker
        cpus = self.cpus_per_gpu * (gpus or self.num_workers)
        return {"CPU": cpus} | ({"GPU": gpus} if gpus else {})

    @property
    def devices(self) -> dict[str, Any]:
        """Settings of the trainer that make it use just these."""
        gpus = self.num_workers * self.gpus_per_worker
        return {
            "accelerator": "gpu" if gpus else "cpu",
            "devices": math.ceil(gpus) if gpus else self.num_workers,
        }
