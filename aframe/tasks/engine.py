"""What evaluates the network in a search: a server, or the worker itself."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import luigi
from conventions.errors import UserError
from storage import is_remote

from aframe import config, devices, messages
from aframe.parameters import (
    ChoiceParameter,
    LocalPathParameter,
    OptionalIntParameter,
)
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

    def engine_name(self, manifest: Any) -> str:
        """What evaluates the network, for the record.

        Args:
            manifest: of the model repository.
        """
        if self.engine == "direct":
            return f"direct, {self.precision}"
        return f"triton, {manifest.platform}" + " fp16" * manifest.fp16

    @property
    def num_workers(self) -> int:
        """Processes that search at once: one a GPU, or one without."""
        return len(devices.names(self.gpus))

    @contextmanager
    def running_engine(
        self, weights: Path, manifest: Any, log: Path | None
    ) -> Iterator[Any]:
        """Say what evaluates the network, and use it.

        Args:
            weights: the trained network.
            manifest: of the model repository.
            log: of the server, for errors.

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
                self.address,
                manifest,
                streams=self.streams_per_gpu,
                log_file=log,
            ) as engine:
                yield engine
            return
        from infer.direct import DirectEngine

        with devices.claim(self.gpus, partial(messages.say, self)) as name:
            on_cpu = name == "cpu"
            place = name if on_cpu else f"GPU {name}"
            messages.say(self, f"engine direct on {place}, {self.precision}")
            yield DirectEngine(
                weights,
                manifest,
                device="cpu" if on_cpu else "cuda",
                precision=self.precision,
            )


class ServerParameters:
    """How the inference server is started."""

    triton_image = LocalPathParameter(
        default=None,
        description="container image with the server; empty: the server that "
        "scripts/install-triton installed",
    )
    grpc_port = OptionalIntParameter(
        default=None, description="port of the server; empty: any free one"
    )

    @property
    def server_log(self) -> Path:
        """Log of the server that is started here.

        It is beside the results, or beside the repository if they are in a
        store.
        """
        place = self.directory
        if is_remote(place):
            place = self.requires()["repository"].output()["manifest"].file
            place = place.parent
        return place.parent / "server.log"

    def triton_root(self) -> Path | None:
        """Where the server is installed, None where an image has it.

        Raises:
            UserError: if it is not; says what else can be done.
        """
        root = config.triton_root()
        if self.triton_image is not None:
            return None
        if root.is_dir():
            return root
        raise UserError(
            f"there is no inference server in {root}: install one with "
            f"scripts/install-triton {root}, set AFRAME_TRITON_ROOT to where "
            "one is, name an image (triton_image of DeployInferLocal) or a "
            "server that is running (address), or use engine = direct"
        )

    @contextmanager
    def server(self, manifest: Any) -> Iterator[str]:
        """The server, whose statistics are written and summed up.

        One is started, and stopped at the end, unless the address of one
        that is running is given.

        Args:
            manifest: of the model repository.

        Yields:
            Its host and port.

        Raises:
            UserError: if it cannot be started, does not answer, or serves
                another network.
        """
        from conventions.progress import plain
        from infer.monitor import monitor
        from infer.server import serve
        from infer.triton_engine import TritonEngine

        repository = self.input()["repository"]["manifest"].file.parent
        with ExitStack() as stack:
            address = self.address
            if not address:
                started = serve(
                    repository,
                    log_file=self.server_log,
                    image=self.triton_image,
                    triton_root=self.triton_root(),
                    gpus=self.gpus,
                    grpc_port=self.grpc_port,
                    progress=plain,
                )
                address = str(stack.enter_context(started))
            with TritonEngine(address, manifest):
                """Found fit before any segment is begun."""
            statistics = stack.enter_context(
                monitor(address, self.server_log.with_suffix(".csv"))
            )
            yield address
        sys.stdout.write(f"{statistics.summary}\n")
