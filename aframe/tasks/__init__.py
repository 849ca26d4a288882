"""The tasks, one module a stage."""

from aframe.tasks.export import ExportLocal
from aframe.tasks.fetch import FetchTest, FetchTrain
from aframe.tasks.infer import DeployInferLocal, Infer, InferSegments
from aframe.tasks.plots import SensitiveVolume
from aframe.tasks.segments import Query
from aframe.tasks.train import TrainLocal
from aframe.tasks.train_remote import Train, TrainRemote
from aframe.tasks.tune import TuneLocal, TuneRemote, TuneTask
from aframe.tasks.vetos import Vetos
from aframe.tasks.waveforms import (
    DeployTestingWaveforms,
    TestingWaveforms,
    TrainingWaveforms,
    ValidationWaveforms,
)

__all__ = [
    "DeployInferLocal",
    "DeployTestingWaveforms",
    "ExportLocal",
    "FetchTest",
    "FetchTrain",
    "Infer",
    "InferSegments",
    "Query",
    "SensitiveVolume",
    "TestingWaveforms",
    "Train",
    "TrainLocal",
    "TrainRemote",
    "TrainingWaveforms",
    "TuneLocal",
    "TuneRemote",
    "TuneTask",
    "ValidationWaveforms",
    "Vetos",
]
