"""The whole graph, with a search in place of the training."""

import luigi

from aframe.pipelines.sandbox.sandbox import Sandbox
from aframe.tasks.tune import TuneTask


class Tune(Sandbox):
    """Run the whole pipeline with the best of many trainings."""

    train_task = luigi.TaskParameter(
        default=TuneTask, description="the task that trains the network"
    )
