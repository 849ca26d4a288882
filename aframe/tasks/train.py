"""Training of the network."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import storage
from conventions.errors import UserError
from storage import Location

from aframe import config, devices, files, sections, targets
from aframe.base import AframeTask
from aframe.parameters import (
    BoolParameter,
    FloatParameter,
    IntParameter,
    ListParameter,
    OptionalFloatParameter,
    PathParameter,
)
from aframe.targets import FileTarget
from aframe.tasks.fetch import FetchTrain
from aframe.tasks.waveforms import TrainingWaveforms, ValidationWaveforms


class PreprocessingParameters:
    """How strain becomes what the network sees, in training and search."""

    travels = True

    ifos = ListParameter(description="interferometers, in channel order")
    sample_rate = FloatParameter(description="sample rate of the strain, Hz")
    kernel_length = FloatParameter(description="the network's input, s")
    fduration = FloatParameter(
        description="length of the whitening filter, half of which is "
        "cropped from each side, s"
    )
    fftlength = OptionalFloatParameter(
        default=None,
        description="segments of the PSD estimate, s; empty: kernel_length "
        "+ fduration",
    )
    highpass = OptionalFloatParameter(
        default=None, description="lower edge of the whitened band, Hz"
    )
    lowpass = OptionalFloatParameter(
        default=None, description="upper edge of the whitened band, Hz"
    )

    def preprocessing_settings(self) -> dict[str, Any]:
        """The settings by the names of the manifest."""
        return {
            "ifos": list(self.ifos),
            "sample_rate": self.sample_rate,
            "kernel_length": self.kernel_length,
            "fduration": self.fduration,
            "fftlength": self.fftlength,
            "highpass": self.highpass,
            "lowpass": self.lowpass,
        }

    def check_manifest(self, target: FileTarget, **settings: Any) -> Any:
        """Compare a manifest with this task's settings.

        Args:
            target: the manifest.
            settings: those beside the preprocessing's.

        Returns:
            The manifest.

        Raises:
            UserError: naming every setting that differs, and both values.
        """
        from preprocessing.manifest import Manifest

        manifest = Manifest.read(target.local())
        manifest.check(
            str(config.config_file() or f"the settings of {self.task_family}"),
            target.file,
            **self.preprocessing_settings(),
            **settings,
        )
        return manifest


class TrainingParameters(PreprocessingParameters):
    """What is trained, and where its outputs go."""

    config = PathParameter(
        default=None,
        description="YAML file of the training; empty: the published one",
    )
    psd_length = OptionalFloatParameter(
        default=None,
        description="data that a PSD is estimated from in training, s; "
        "empty: what the YAML file says",
    )
    seed = IntParameter(default=0, description="seed of the training")
    run_dir = PathParameter(
        default=None,
        description="where the outputs go; empty: the run's directory",
    )
    use_wandb = BoolParameter(
        default=False,
        significant=False,
        description="show the training in Weights & Biases, as [luigi_wandb] "
        "or --wandb-project, --wandb-name and the like say",
    )

    @property
    def run_directory(self) -> Location:
        """Where the outputs go."""
        return self.run_dir or config.paths().directory("train_rundir")


class TrainLocal(TrainingParameters, AframeTask):
    """Train the network in a process of this machine.

    Attributes:
        program: the module that is run, and its subcommand.
    """

    project = "train"
    program: ClassVar[tuple[str, ...]] = ("train", "fit")
    reqs: ClassVar = {
        "background": FetchTrain,
        "waveforms": TrainingWaveforms,
        "validation": ValidationWaveforms,
    }

    def output(self) -> dict[str, FileTarget]:
        """Weights, checkpoint, example batch and manifest."""
        return targets.training(self.run_directory)

    def yaml_file(self) -> Path:
        """The training's configuration file.

        Raises:
            UserError: if it is not there.
        """
        file = self.config or DEFAULT_YAML
        if not storage.exists(file):
            raise UserError(
                f"config: there is no training configuration {file}"
            )
        return files.local(file)

    def directories(self) -> dict[str, Location]:
        """Where strain and signals are, by the training's own names."""
        tasks = self.requires()
        return {
            "background_dir": tasks["background"].data_directory,
            "waveforms_dir": tasks["waveforms"].output().file.parent,
        }

    def check_strays(self) -> None:
        """Refuse strain that the training would read and nobody listed.

        Raises:
            UserError: naming a file.
        """
        background = self.directories()["background_dir"]
        strain = {t.file for t in targets.files(self.input()["background"])}
        found = storage.listing(background, "background-*.hdf5")
        strays = [file for file in found if file not in strain]
        if strays:
            raise UserError(
                f"{background} has strain of other segments than those of "
                f"its segments.txt, such as {strays[0].name}: move it away"
            )

    def arguments(self, yaml_file: str | Path) -> list[str]:
        """Arguments of the program, with the shared settings.

        Args:
            yaml_file: the training's configuration file, where it runs.
        """
        data = self.preprocessing_settings()
        data |= {key: str(path) for key, path in self.directories().items()}
        if self.psd_length is not None:
            data["psd_length"] = self.psd_length
        return [
            *("-m", *self.program),
            *("--config", str(yaml_file)),
            *("--run_dir", str(self.run_directory)),
            *("--seed_everything", str(self.seed)),
            *(f"--data.{key}={_yaml(value)}" for key, value in data.items()),
            *self.outer_arguments(),
        ]

    def command(self) -> list[str]:
        """The command that trains."""
        self.check_strays()
        arguments = self.arguments(self.yaml_file())
        places = (self.run_directory, *self.directories().values())
        if any(map(storage.is_remote, places)):
            cache = config.scratch_directory()
            arguments.append(f"--data.cache_dir={cache}")
        return [sys.executable, *arguments]

    def outer_arguments(self) -> list[str]:
        """Arguments of where the training runs and where it is shown."""
        return [*self.device_arguments(), *self.wandb_arguments()]

    def device_arguments(self) -> list[str]:
        """What the training computes on."""
        if not self.gpus:
            return []
        return gpu_arguments(len(devices.names(self.gpus)))

    @property
    def needs_gpus(self) -> bool:
        """Whether a container is given the GPUs of its machine.

        A training takes what the environment shows.
        """
        return super().needs_gpus or config.shows_gpus()

    @property
    def is_shown(self) -> bool:
        """Whether the training is shown in Weights & Biases."""
        return self.use_wandb or sections.wandb().enabled

    def wandb_arguments(self) -> list[str]:
        """Where the training is shown."""
        if not self.is_shown:
            return []
        return [f"--wandb={_yaml(sections.wandb().settings())}"]

    def run(self) -> None:
        """Run the command.

        Raises:
            UserError: if it ended with a user's mistake, which it printed.
            RuntimeError: if it failed otherwise.
        """
        command = self.command()
        environment = config.process_environment()
        if self.gpus:
            visible = ",".join(devices.names(self.gpus))
            environment["CUDA_VISIBLE_DEVICES"] = visible
        code = subprocess.run(command, env=environment, check=False).returncode
        if code == 2:
            raise UserError("the training stopped: its message is above")
        if code:
            raise RuntimeError(f"exit code {code} of {' '.join(command)}")


DEFAULT_YAML = config.ROOT / "projects" / "train" / "configs" / "bbh.yaml"


def gpu_arguments(count: int) -> list[str]:
    """Arguments of a training on GPUs, all that it is shown.

    Args:
        count: of them.
    """
    return ["--trainer.accelerator=gpu", f"--trainer.devices={count}"]


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
