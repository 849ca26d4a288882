"""Export of the network for the inference server."""

from typing import Any

import law
import luigi
from conventions.errors import UserError
from storage import is_remote

from aframe import config, files, targets
from aframe.base import AframeTask
from aframe.parameters import (
    BoolParameter,
    ChoiceParameter,
    FloatParameter,
    IntParameter,
    LocalPathParameter,
)
from aframe.targets import FileTarget
from aframe.tasks.train import PreprocessingParameters
from aframe.tasks.train_remote import Train

NEEDED = ("manifest", "weights", "batch")
"""Files of a training that are read."""

PLATFORMS = ("python", "torchscript", "onnx", "tensorrt")


class PipelineParameters:
    """What a pipeline chooses and passes through all its stages."""

    travels = True

    train_task = luigi.TaskParameter(
        default=Train,
        description="the task that trains the network",
    )


class ServingParameters:
    """How the network is served and asked."""

    travels = True

    inference_sampling_rate = FloatParameter(
        description="network outputs per second, Hz"
    )
    batch_size = IntParameter(
        description="network outputs per request and stream"
    )
    psd_length = FloatParameter(
        description="data that a PSD is estimated from, s"
    )
    streams_per_gpu = IntParameter(
        default=4,
        description="sequences that a server takes turns with on each GPU, "
        "or on the CPU; a repository that is there keeps its own number, "
        "and more sequences wait",
    )

    def serving_settings(self) -> dict[str, float]:
        """The settings by the names of the manifest."""
        return {
            "inference_sampling_rate": self.inference_sampling_rate,
            "batch_size": self.batch_size,
            "psd_length": self.psd_length,
        }


class ExportLocal(
    PipelineParameters, ServingParameters, PreprocessingParameters, AframeTask
):
    """Write the trained network as a Triton model repository."""

    project = "export"

    platform = ChoiceParameter(
        default="python",
        choices=PLATFORMS,
        description="how the server runs the network: the server that "
        "scripts/install-triton installs has python alone",
    )
    fp16 = BoolParameter(
        default=False,
        description="with tensorrt, whether to compute in half precision",
    )
    repository_directory = LocalPathParameter(
        default=None,
        description="where the repository goes, on this machine, for a "
        "server reads it there; empty: the run's directory",
    )

    def requires(self) -> dict[str, law.Task]:
        """The training."""
        return {"train": self.train_task.req(self)}

    def output(self) -> dict[str, FileTarget]:
        """The repository's manifest and models.

        Raises:
            UserError: if the run's directory is in a store, and no other
                directory is given.
        """
        results = config.paths().directory("results_dir")
        directory = self.repository_directory or results / "model_repository"
        if is_remote(directory):
            raise UserError(
                f"repository_directory of ExportLocal is empty, and results "
                f"go to {results}: give a directory of this machine, where "
                "a server can read the network"
            )
        return targets.repository(directory, self.platform)

    def check_platform(self, manifest: Any) -> None:
        """Refuse a repository that runs the network in another way.

        Args:
            manifest: of the repository.

        Raises:
            UserError: naming both ways, and what to remove.
        """
        found = {"platform": manifest.platform, "fp16": manifest.fp16}
        wanted = {"platform": self.platform, "fp16": self.fp16}
        directory = self.output()["manifest"].file.parent
        differences = [
            f"{name}: {found[name]} in {directory}, {wanted[name]} in "
            f"{config.config_file() or 'the settings of ExportLocal'}"
            for name in found
            if found[name] != wanted[name]
        ]
        if differences:
            raise UserError(
                f"{'; '.join(differences)}: remove {directory} to export "
                "and search anew, or take the setting back"
            )

    def run(self) -> None:
        """Check the training's manifest and export."""
        from export.main import export

        trained = self.input()["train"]
        self.check_manifest(trained["manifest"])
        here = files.locals_of(trained[name] for name in NEEDED)
        export(
            here[0].parent,
            self.output()["manifest"].file.parent,
            platform=self.platform,
            fp16=self.fp16,
            streams_per_gpu=self.streams_per_gpu,
            clean=True,
            **self.serving_settings(),
        )
