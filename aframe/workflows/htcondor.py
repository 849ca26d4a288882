"""Branches as jobs of HTCondor."""

from typing import Any

import law
import luigi
from conventions.errors import UserError
from law.job.base import JobInputFile

from aframe import config, job_environment, sections
from aframe.workflows.batch import BatchProxy, JobParameters

law.contrib.load("htcondor")

QUERIED_AT_ONCE = 500
"""Jobs that one ``condor_q`` asks for."""


class _Manager(law.htcondor.HTCondorJobManager):
    # One submission a job: each may ask for another amount of memory, and is
    # recorded when it is known.
    job_grouping_submit = False
    merge_job_files = False
    chunk_size_submit = 0
    chunk_size_query = QUERIED_AT_ONCE
    chunk_size_cancel = QUERIED_AT_ONCE

    def query(self, job_id: Any, *args: Any, **kwargs: Any) -> Any:
        """Ask for the states of jobs, and remove those that are held.

        Law counts a held job as failed and submits another one for it; the
        held one would stay in the queue, and run if someone released it.
        """
        states = super().query(job_id, *args, **kwargs)
        if isinstance(job_id, list | tuple) and states:
            failed = [
                name
                for name, state in states.items()
                if state["status"] == self.FAILED
            ]
            if failed:
                self.cancel(failed, silent=True)
        return states


class _Proxy(BatchProxy, law.htcondor.HTCondorWorkflow.workflow_proxy_cls):
    programs = ("condor_submit", "condor_q", "condor_history", "condor_rm")

    def run(self) -> Any:
        """Submit what was not, and wait.

        Raises:
            UserError: if a job would not see a variable: HTCondor leaves
                such as have a semicolon or several lines out, in silence.
        """
        values = config.process_environment()
        for name in job_environment.variables():
            if set(values[name]) & set(";\n"):
                raise UserError(
                    f"environment variable {name}: its value has a semicolon "
                    "or several lines, and HTCondor passes no such on to jobs"
                )
        return super().run()


class HTCondorJobs(JobParameters, law.htcondor.HTCondorWorkflow):
    """A workflow whose branches can be jobs of HTCondor."""

    workflow_proxy_cls = _Proxy
    exclude_index = True

    htcondor_pool = luigi.Parameter(
        default="",
        significant=False,
        description="with HTCondor, the pool; empty: this machine's",
    )
    htcondor_scheduler = luigi.Parameter(
        default="",
        significant=False,
        description="with HTCondor, the machine that takes the jobs; empty: "
        "this one",
    )

    # What law asks of any batch system, by the names that it has for this one.
    htcondor_output_directory = JobParameters.jobs_target
    htcondor_log_directory = JobParameters.logs_target
    htcondor_bootstrap_file = JobParameters.bootstrap_file
    htcondor_dump_intermediate_job_data = JobParameters.jobs_per_record
    htcondor_job_file_factory_defaults = JobParameters.job_files_settings

    def htcondor_job_manager_cls(self) -> type[_Manager]:
        """Few queries for many jobs, and none that stays held."""
        return _Manager

    def htcondor_job_file(self) -> JobInputFile:
        """The script of a job, filled in here and not by the job."""
        return JobInputFile(law.util.law_src_path("job", "law_job.sh"))

    def htcondor_job_config(
        self, description: Any, job_num: int, branches: list[int]
    ) -> Any:
        """Ask for the resources of a job.

        Args:
            description: law's, of one job.
            job_num: number of the job.
            branches: that it runs.
        """
        attempt = self.describe_job(description, job_num, branches)
        site = sections.htcondor()
        memory = self.request_memory * site.memory_growth**attempt
        seconds = 60 * self.request_time
        settings = {
            "getenv": ", ".join(job_environment.variables()),
            "request_cpus": self.request_cpus,
            "request_memory": f"{round(memory)}MB",
            "request_disk": f"{self.request_disk}MB",
            "request_gpus": self.request_gpus,
            "allowed_execute_duration": seconds,
            "accounting_group": site.accounting_group,
            "accounting_group_user": site.accounting_group_user,
            "batch_name": self.task_family,
        }
        description.custom_content += [
            (name, value) for name, value in settings.items() if value
        ]
        return description
