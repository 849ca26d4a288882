"""Simulated signals: for training, validation and the search."""

from typing import Any, ClassVar

import law
import luigi
from conventions.segments import read
from storage import Location

from aframe import config, files, targets
from aframe.base import AframeTask
from aframe.parameters import (
    DictParameter,
    FloatParameter,
    IntParameter,
    ListParameter,
    OptionalFloatParameter,
    OptionalIntParameter,
    PathParameter,
)
from aframe.targets import FileTarget
from aframe.tasks.fetch import FetchTest, FetchTrain
from aframe.timeslides import (
    Placement,
    Slide,
    Timeslides,
    shifts_for_signals,
)
from aframe.workflows import AframeWorkflow, WorkflowParameter


class WaveformParameters:
    """How signals are made."""

    sample_rate = FloatParameter(description="sample rate, Hz")
    waveform_duration = FloatParameter(description="length of a waveform, s")
    right_pad = FloatParameter(
        description="from the coalescence to the waveform's end, s"
    )
    minimum_frequency = FloatParameter(
        default=20.0, description="where waveforms start, Hz"
    )
    reference_frequency = FloatParameter(
        default=50.0, description="where the spins are given, Hz"
    )
    waveform_approximant = luigi.Parameter(
        default="IMRPhenomPv2", description="name of the waveform model"
    )
    prior = luigi.Parameter(
        description="dotted name of the function that makes the prior"
    )
    prior_args = DictParameter(
        default={}, description="keyword arguments of that function"
    )
    seed = IntParameter(default=0, description="seed of the draws")
    output_dir = PathParameter(
        default=None,
        description="where the files go; empty: the run's directory",
    )

    def waveform_settings(self) -> dict[str, Any]:
        """The settings by the names of the datagen project."""
        from conventions.progress import plain

        return {
            "prior": self.prior,
            "prior_arguments": dict(self.prior_args),
            "sample_rate": self.sample_rate,
            "waveform_duration": self.waveform_duration,
            "right_pad": self.right_pad,
            "minimum_frequency": self.minimum_frequency,
            "reference_frequency": self.reference_frequency,
            "waveform_approximant": self.waveform_approximant,
            "seed": self.seed,
            "progress": plain,
        }


class RejectionParameters:
    """Which signals are kept."""

    ifos = ListParameter(description="interferometers")
    highpass = OptionalFloatParameter(
        default=None, description="lower edge of the band of SNRs, Hz"
    )
    lowpass = OptionalFloatParameter(
        default=None,
        description="upper edge of the band of SNRs, Hz; empty: Nyquist",
    )
    snr_threshold = FloatParameter(
        description="smallest network SNR that is kept"
    )
    fftlength = OptionalFloatParameter(
        default=None,
        description="segments of the PSD estimate, s; empty: the project's",
    )

    def rejection_settings(self) -> dict[str, Any]:
        """The settings by the names of the datagen project."""
        settings = {
            "ifos": self.ifos,
            "highpass": self.highpass,
            "lowpass": self.lowpass,
            "snr_threshold": self.snr_threshold,
        }
        if self.fftlength is not None:
            settings["fftlength"] = self.fftlength
        return settings


class TrainingWaveforms(WaveformParameters, AframeTask):
    """Draw signals for training and keep their polarizations."""

    project = "datagen"

    num_signals = IntParameter(description="number of signals")

    def output(self) -> FileTarget:
        """The polarizations."""
        directory = self.output_dir or config.paths().directory(
            "train_waveforms"
        )
        return FileTarget(directory / "train_waveforms.hdf5")

    def run(self) -> None:
        """Draw and write."""
        from datagen import waveforms

        with self.output().writing() as path:
            waveforms.training_waveforms(
                path,
                num_signals=self.num_signals,
                **self.waveform_settings(),
            )


class ValidationWaveforms(WaveformParameters, RejectionParameters, AframeTask):
    """Draw detectable signals for validation, as each detector sees them."""

    project = "datagen"
    reqs: ClassVar = {"background": FetchTrain}

    num_signals = IntParameter(description="number of signals")

    def output(self) -> FileTarget:
        """The detectors' responses."""
        directory = self.output_dir or config.paths().directory(
            "train_waveforms"
        )
        return FileTarget(directory / "val_waveforms.hdf5")

    def run(self) -> None:
        """Draw, reject and write."""
        from datagen import waveforms

        background = targets.files(self.input()["background"])
        with self.output().writing() as path:
            waveforms.validation_waveforms(
                path,
                num_signals=self.num_signals,
                background=files.locals_of(background),
                **self.rejection_settings(),
                **self.waveform_settings(),
            )


class TimeslideParameters:
    """How background is made from segments."""

    shifts = ListParameter(
        description="per interferometer, the multiple by which it is read "
        "later at each shift, s"
    )
    Tb = FloatParameter(description="background livetime that is wanted, s")
    psd_length = FloatParameter(
        description="data that a PSD is estimated from, s"
    )
    inference_sampling_rate = FloatParameter(
        description="network outputs per second, Hz"
    )

    @property
    def timeslides(self) -> Timeslides:
        """The settings as one object."""
        return Timeslides(
            self.shifts, self.psd_length, self.inference_sampling_rate
        )


class TestingWaveformsParameters(
    TimeslideParameters, WaveformParameters, RejectionParameters
):
    """How injections are made."""

    travels = True
    __test__ = False

    spacing = FloatParameter(description="between two waveforms, s")
    buffer = FloatParameter(
        description="kept free at both ends of the analysed span, s"
    )
    jitter = FloatParameter(
        default=0.0, description="injections move by up to this, s"
    )
    num_signals = OptionalIntParameter(
        default=None,
        description="use no more shifts than have room for this many "
        "injections; empty: injections in every shift",
    )

    @property
    def directory(self) -> Location:
        """Where the merged files go."""
        return self.output_dir or config.paths().directory("test_waveforms")


class DeployTestingWaveforms(TestingWaveformsParameters, AframeWorkflow):
    """Make the injections of each segment and shift."""

    project = "datagen"
    reqs: ClassVar = {"background": FetchTest}
    config_sections = ("TestingWaveforms",)

    def segments_task(self) -> law.Task:
        """The query of the background."""
        return self.reqs["background"].req(self).segments_task()

    def branch_plan(self) -> dict[int, Slide]:
        """One segment and shift a branch."""
        slides = self.timeslides
        pairs = read(self.segments_task().output().local())
        count = slides.shifts_required(pairs, self.Tb)
        placement = Placement(
            self.spacing, self.buffer, self.waveform_duration
        )
        if self.num_signals is not None:
            count = min(
                count,
                shifts_for_signals(slides, placement, pairs, self.num_signals),
            )
        return dict(enumerate(slides.plan(pairs, count)))

    def branch_requires(self) -> dict[str, law.Task]:
        """The segment's strain."""
        branch = self.branch_data.index
        return {"background": self.reqs["background"].req(self, branch=branch)}

    def branch_output(self) -> dict[str, FileTarget]:
        """Accepted injections and rejected parameters."""
        slide = self.branch_data
        return targets.injections(
            targets.branch(
                self.directory, slide.start, slide.stop, slide.shifts
            )
        )

    def run(self) -> None:
        """Draw, reject and write the injections of one segment and shift."""
        from datagen import waveforms

        slide = self.branch_data
        with files.writing(self.output()) as output:
            waveforms.testing_waveforms(
                output["waveforms"],
                output["rejected"],
                start=slide.start + self.psd_length,
                stop=slide.stop - max(slide.shifts),
                shifts=slide.shifts,
                background=self.input()["background"].local(),
                spacing=self.spacing,
                buffer=self.buffer,
                jitter=self.jitter,
                **self.rejection_settings(),
                **self.waveform_settings(),
            )


class TestingWaveforms(TestingWaveformsParameters, AframeTask):
    """Join the injections of all segments and shifts."""

    project = "datagen"
    reqs: ClassVar = {"branches": DeployTestingWaveforms}

    workflow = WorkflowParameter()

    def requires(self) -> dict[str, law.Task]:
        """The branches."""
        said = self.workflow != law.NO_STR
        where = {"workflow": self.workflow} if said else {}
        return {
            name: task.req(self, **where) for name, task in self.reqs.items()
        }

    def output(self) -> dict[str, FileTarget]:
        """Accepted injections and rejected parameters."""
        return targets.injections(self.directory)

    def run(self) -> None:
        """Join the files."""
        from datagen import waveforms

        branches = self.input()["branches"]["collection"].targets.values()
        for name, target in self.output().items():
            parts = files.locals_of(branch[name] for branch in branches)
            with target.writing() as path:
                waveforms.merge(parts, path)
