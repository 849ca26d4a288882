"""Sections of luigi's configuration that several tasks share."""

import luigi


class wandb(luigi.Config):  # noqa: N801 (the name of the config section)
    """Weights & Biases, which shows trainings.

    The key is no setting: it comes from ``WANDB_API_KEY``.
    """

    enabled = luigi.BoolParameter(
        default=False, description="show all trainings there"
    )
    project = luigi.Parameter(
        default="", description="empty: WANDB_PROJECT, or aframe"
    )
    entity = luigi.Parameter(
        default="", description="user or team; empty: WANDB_ENTITY"
    )
    name = luigi.Parameter(
        default="", description="of the run; empty: an invented one"
    )
    group = luigi.Parameter(default="", description="of runs")
    tags = luigi.Parameter(
        default="", description="of the run, separated by commas"
    )

    def settings(self) -> dict[str, str | list[str]]:
        """What is given of where a run is shown, by name."""
        names = ("project", "entity", "name", "group")
        given = {name: getattr(self, name) for name in names}
        tags = [tag.strip() for tag in self.tags.split(",")]
        given["tags"] = [tag for tag in tags if tag]
        return {name: value for name, value in given.items() if value}


class jobs(luigi.Config):  # noqa: N801 (the name of the config section)
    """What all jobs of batch systems share."""

    environment = luigi.ListParameter(
        default=(),
        description="names of environment variables that jobs see, beside "
        "AFRAME_* and a few of the system's; on HTCondor anyone can read "
        "their values",
    )


class htcondor(luigi.Config):  # noqa: N801 (the name of the section)
    """What all jobs of HTCondor share."""

    accounting_group = luigi.Parameter(
        default="", description="what jobs are charged to; empty: nothing"
    )
    accounting_group_user = luigi.Parameter(
        default="", description="who is; empty: who submits"
    )
    memory_growth = luigi.FloatParameter(
        default=1.5,
        description="a job that failed gets this times as much memory",
    )


class slurm(luigi.Config):  # noqa: N801 (the name of the config section)
    """What all jobs of Slurm share."""

    account = luigi.Parameter(
        default="", description="what jobs are charged to; empty: the default"
    )
