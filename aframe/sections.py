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


class containers(luigi.Config):  # noqa: N801 (the name of the section)
    """What containers see of a machine, beside what all of them do."""

    environment = luigi.ListParameter(
        default=(), description="names of environment variables"
    )
    directories = luigi.ListParameter(
        default=(),
        description="directories, under their own paths; those that are not "
        "there are left out",
    )


class s3(luigi.Config):  # noqa: N801 (the name of the config section)
    """The store of files whose paths begin with ``s3://``.

    Credentials are no setting: they come from the standard AWS environment
    or profile.
    """

    endpoint_url = luigi.Parameter(
        default="",
        description="its URL; empty: AWS_ENDPOINT_URL, or the profile's, or "
        "AWS",
    )


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


class kubernetes(luigi.Config):  # noqa: N801 (the name of the section)
    """The Kubernetes cluster of remote trainings and searches."""

    context = luigi.Parameter(
        default="",
        description="of the kubeconfig file; empty: its current one",
    )
    namespace = luigi.Parameter(
        default="", description="empty: that of the context"
    )
    image_pull_secret = luigi.Parameter(
        default="",
        description="name of a secret of the namespace that lets images be "
        "fetched; empty: none is needed",
    )
    s3_endpoint_url = luigi.Parameter(
        default="",
        description="address of the S3 store as pods see it; empty: as this "
        "machine does",
    )
    storage_claim = luigi.Parameter(
        default="",
        description="name of a volume claim that many pods can write, for "
        "the directories of searches",
    )
    poll_interval = luigi.FloatParameter(
        default=5.0, description="time between two looks at a job, s"
    )
    patience = luigi.FloatParameter(
        default=600.0,
        description="how long the cluster may leave a question unanswered, s",
    )


class ssh(luigi.Config):  # noqa: N801 (the name of the config section)
    """What git repositories are read with, where they need a key."""

    ssh_file = luigi.Parameter(
        default="~/.ssh/id_rsa",
        description="private key, best one that can read this repository and "
        "nothing else; it has no passphrase",
    )
    known_hosts = luigi.Parameter(
        default="~/.ssh/known_hosts",
        description="public keys of hosts, that of the repository's among "
        "them",
    )


class ray_head(luigi.Config):  # noqa: N801 (the name of the config section)
    """The pod that leads a Ray cluster."""

    cpus = luigi.IntParameter(default=4, description="cores")
    memory = luigi.Parameter(
        default="16G", description="memory, a quantity of Kubernetes"
    )


class ray_worker(luigi.Config):  # noqa: N801 (the name of the section)
    """The pods of a Ray cluster that train."""

    replicas = luigi.IntParameter(default=1, description="pods")
    gpus_per_replica = luigi.IntParameter(
        default=1, description="GPUs of each pod"
    )
    cpus_per_gpu = luigi.IntParameter(
        default=8, description="cores for each GPU; without GPUs, of each pod"
    )
    memory_per_gpu = luigi.FloatParameter(
        default=32.0,
        description="memory for each GPU, GB; without GPUs, of each pod",
    )
    min_gpu_memory = luigi.IntParameter(
        default=15000, description="memory that each GPU has at least, MiB"
    )
