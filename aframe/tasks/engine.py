"""What evaluates the network in a search: a server, or the worker itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import luigi
from conventions.errors import UserError

from aframe import devices, messages
from aframe.parameters import ChoiceParameter
from aframe.tasks.export import ServingParameters

ENGINES = ("triton", "direct")
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")


class EngineParameters(ServingParameters):
    """How the network is evaluated; events hardly depend on it."""

    travels = True

    engine = ChoiceParameter(
        default="triton",
        choices=ENGINES,
        significant=False,
        description="what evaluates the network: triton (an inference "
        "server) or direct (each worker itself, on its GPU or the CPU)",
    )
    address = luigi.Parameter(
        default="",
        significant=False,
        description="with triton, host and port of the gRPC of a server that "
        "is running; empty: DeployInferLocal starts one",
    )
    precision = ChoiceParameter(
        default="fp32",
        choices=PRECISIONS,
        significant=False,
        description="with direct, the numbers that the network computes with",
    )

    def check_engine(self) -> None:
        """Refuse settings of the other engine, which would do nothing.

        Raises:
            UserError: naming the setting.
        """
        if self.engine == "direct" and self.address:
            raise UserError(
                f"address: {self.address} is for engine = triton; with "
                "engine = direct no server is asked"
            )
        if self.engine == "triton" and self.precision != "fp32":
            raise UserError(
                f"precision: {self.precision} is for engine = direct; a "
                "server computes as ExportLocal's platform says"
            )

    @property
    def num_workers(self) -> int:
        """Processes that search at once: one a GPU, or one without."""
        return len(devices.names(self.gpus))

    @contextmanager
    def running_engine(
        self, weights: Path, manifest: Any, pool: Path
    ) -> Iterator[Any]:
        """Say what evaluates the network, and use it.

        Args:
            weights: the trained network.
            manifest: of the model repository.
            pool: directory of the results of the search.

        Yields:
            An ``infer.engine.Engine``.

        Raises:
            UserError: if the engine is not installed, or there is no such
                server or device.
        """
        if self.engine == "triton":
            from infer.triton_engine import TritonEngine

            messages.say(self, f"engine triton at {self.address}")
            with TritonEngine(
                self.address, manifest, streams=self.streams_per_gpu
            ) as engine:
                yield engine
            return
        from infer.direct import DirectEngine

        with devices.claim(self.gpus, pool) as name:
            on_cpu = name == "cpu"
            place = name if on_cpu else f"GPU {name}"
            messages.say(self, f"engine direct on {place}, {self.precision}")
            yield DirectEngine(
                weights,
                manifest,
                device="cpu" if on_cpu else "cuda",
                precision=self.precision,
            )
