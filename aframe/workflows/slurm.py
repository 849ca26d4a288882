"""Branches as jobs of Slurm."""

from pathlib import Path
from typing import Any, ClassVar

import law
import luigi

from aframe import job_environment, sections
from aframe.workflows.batch import BatchProxy, JobParameters

law.contrib.load("slurm")

QUERIED_AT_ONCE = 500
"""Jobs that one ``squeue`` asks for."""


class _Manager(law.slurm.SlurmJobManager):
    chunk_size_query = QUERIED_AT_ONCE
    chunk_size_cancel = QUERIED_AT_ONCE


class _Proxy(BatchProxy, law.slurm.SlurmWorkflow.workflow_proxy_cls):
    programs = ("sbatch", "squeue", "sacct", "scancel")


class SlurmJobs(JobParameters, law.slurm.SlurmWorkflow):
    """A workflow whose branches can be jobs of Slurm."""

    workflow_proxy_cls = _Proxy
    exclude_index = True

    slurm_partition = luigi.Parameter(
        default="",
        significant=False,
        description="with Slurm, partition of the jobs; empty: the default "
        "one",
    )

    # Without the partition, of which the accounting learns seconds late:
    # law would take a job that has just ended for lost.
    slurm_job_kwargs: ClassVar[list[str]] = []

    # What law asks of any batch system, by the names that it has for this one.
    slurm_output_directory = JobParameters.jobs_target
    slurm_log_directory = JobParameters.logs_target
    slurm_bootstrap_file = JobParameters.bootstrap_file
    slurm_dump_intermediate_job_data = JobParameters.jobs_per_record
    slurm_job_file_factory_defaults = JobParameters.job_files_settings

    def slurm_job_manager_cls(self) -> type[_Manager]:
        """Few queries for many jobs."""
        return _Manager

    def slurm_job_config(
        self, description: Any, job_num: int, branches: list[int]
    ) -> Any:
        """Ask for the resources of a job.

        Args:
            description: law's, of one job.
            job_num: number of the job.
            branches: that it runs.
        """
        self.describe_job(description, job_num, branches)
        description.job_name = Path(description.stdout).stem
        options = {
            "export": ",".join(job_environment.variables()),
            "nodes": 1,
            "ntasks": 1,
            "cpus-per-task": self.request_cpus,
            "mem": f"{self.request_memory}M",
            "account": sections.slurm().account,
            "time": self.request_time or None,
            "gres": f"gpu:{self.request_gpus}" if self.request_gpus else None,
        }
        description.custom_content += [
            (name, value) for name, value in options.items() if value
        ]
        return description
