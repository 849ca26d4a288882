"""What the branches of a workflow need on any batch system."""

import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any, ClassVar

import law
from conventions.errors import UserError
from law.job.base import JobInputFile

from aframe import config, job_environment
from aframe.parameters import BoolParameter, IntParameter

_UNITS_MB = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?", re.IGNORECASE)


class CountParameter(IntParameter):
    """A whole number that is not too small; outputs do not depend on it."""

    def __init__(self, *args: Any, minimum: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, significant=False, **kwargs)
        self.minimum = minimum
        self.accepted = f"a whole number of at least {minimum}"

    def parse(self, x: Any) -> int:
        """Parse a number.

        Raises:
            UserError: naming the parameter, if it is none or too small.
        """
        value = super().parse(x)
        if value < self.minimum:
            raise UserError(
                f"{self._attribute_name}: {x!r} is not {self.accepted}"
            )
        return value


class SizeParameter(IntParameter):
    """An amount of memory or disk, in MB (of 1024^2 bytes).

    Outputs do not depend on it.
    """

    accepted = "a size with its unit, such as 500MB or 4GB"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, significant=False, **kwargs)

    def parse(self, x: Any) -> int:
        """Parse a size.

        Raises:
            UserError: naming the parameter, if there is no number or unit,
                or nothing is asked for.
        """
        match = _SIZE.fullmatch(str(x).strip())
        size = float(match[1]) * _UNITS_MB[match[2].upper()] if match else 0
        if not size:
            raise UserError(
                f"{self._attribute_name}: {x!r} is not {self.accepted}"
            )
        return max(1, round(size))

    def serialize(self, x: int) -> str:
        """The size with its unit."""
        return f"{x}MB"


class JobParameters:
    """What a job is given; nothing of it where the branches run locally."""

    request_cpus = CountParameter(
        default=1, minimum=1, description="cores of a job"
    )
    request_memory = SizeParameter(
        default=4096,
        description="memory of a job, with its unit",
    )
    request_disk = SizeParameter(
        default=4096,
        description="with HTCondor, scratch space of a job, with its unit",
    )
    request_gpus = CountParameter(
        default=0,
        description="GPUs of a job, which it takes instead of those of gpus",
    )
    request_time = CountParameter(
        default=0,
        description="minutes after which a job is ended; 0: as long as the "
        "batch system lets it",
    )
    parallel_jobs = CountParameter(
        default=0,
        description="jobs that are submitted at once; 0: all",
    )
    retries = CountParameter(
        default=3,
        description="how often a job that failed is submitted again",
    )
    cancel_jobs = BoolParameter(
        default=False,
        significant=False,
        description="only cancel the jobs that were submitted",
    )

    exclude_params_branch: ClassVar = {
        *("request_cpus", "request_memory", "request_disk"),
        *("request_gpus", "request_time"),
    }

    @property
    def jobs_directory(self) -> Path:
        """Where jobs are described, recorded and logged."""
        root = config.paths().directory("condor_dir")
        return root / f"{self.task_family}_{self.task_id.rsplit('_')[-1]}"

    def jobs_target(self) -> law.LocalDirectoryTarget:
        """The record of submitted jobs lies here."""
        return law.LocalDirectoryTarget(str(self.jobs_directory))

    def logs_target(self) -> law.LocalDirectoryTarget:
        """One log a job and attempt lies here."""
        return law.LocalDirectoryTarget(str(self.jobs_directory / "logs"))

    def bootstrap_file(self) -> JobInputFile:
        """The script by which a job finds the environment."""
        path = Path(__file__).with_name("bootstrap.sh")
        return JobInputFile(str(path), copy=True, render_local=True)

    def jobs_per_record(self) -> int:
        """Record every job at once, for a law that is killed meanwhile."""
        return 1

    @property
    def job_files_settings(self) -> dict[str, Any]:
        """Where law puts the files that describe jobs.

        Not in law's default, a temporary directory of this machine: the
        machine that runs the job reads them.
        """
        directory = self.jobs_directory / "files"
        directory.mkdir(parents=True, exist_ok=True)
        return {"dir": str(directory), "mkdtemp": True, "cleanup": False}

    def describe_job(
        self, description: Any, job_num: int, branches: list[int]
    ) -> int:
        """Fill in what is the same for all batch systems.

        Args:
            description: law's, of one job.
            job_num: number of the job.
            branches: that it runs.

        Returns:
            How often the job has failed before.
        """
        attempt = self.workflow_proxy.job_data.attempts.get(job_num, 0)
        name = f"{self.task_family}_{branches[0]}"
        if len(branches) > 1:
            name += f"-{branches[-1]}"
        log = name + (f"_retry{attempt}.log" if attempt else ".log")
        description.stdout = description.stderr = log
        description.postfix_output_files = False
        description.render_variables |= {
            "aframe_exports": "\n".join(
                f"export {key}={shlex.quote(value)}"
                for key, value in job_environment.settings().items()
            )
            + f"\nexport PATH={shlex.quote(str(Path(sys.executable).parent))}"
            + ':"$PATH"',
            "aframe_gpus": str(self.request_gpus),
        }
        return attempt


class BatchProxy:
    """What law's proxies for batch systems lack; goes before one of them.

    Attributes:
        programs: of the batch system, which have to be there.
    """

    programs: ClassVar[tuple[str, ...]] = ()

    def run(self) -> Any:
        """Submit what was not, and wait.

        Raises:
            UserError: if the batch system's programs or the directory of
                its files are not known.
        """
        missing = [name for name in self.programs if not shutil.which(name)]
        if missing:
            raise UserError(
                f"workflow: {self.workflow_type} needs {', '.join(missing)} "
                "on PATH; run on a machine that submits jobs, or with "
                "workflow = local"
            )
        config.require_set(self.task.jobs_directory)
        return super().run()

    def poll(self) -> None:
        """Wait for the jobs.

        Raises:
            UserError: naming a log, if a job failed too often.
        """
        try:
            super().poll()
        except Exception as error:
            failed = [
                job
                for job in self.job_data.jobs.values()
                if job["status"] == self.job_manager.FAILED
            ]
            if not failed:
                raise
            raise UserError(
                f"{len(failed)} of {len(self.job_data)} jobs failed more "
                f"than {self.task.retries} times; the log of one is "
                f"{failed[0]['extra'].get('log')}. What is complete is "
                "kept, and jobs that are under way go on"
            ) from error

    def output(self) -> Any:
        """The branches' outputs, without law's record of the jobs.

        Tasks that come after are not made from that record, and are not
        out of date when it changes.
        """
        outputs = super().output()
        self._record = outputs.pop("jobs")
        return outputs

    def get_cached_output(self, update: bool = False) -> Any:
        """Outputs as law's own proxies know them."""
        outputs = law.util.DotDict(super().get_cached_output(update=update))
        outputs["jobs"] = self._record
        return outputs

    def create_job_file(self, *args: Any) -> dict[str, Any]:
        """Describe a job; messages about it name its log."""
        created = super().create_job_file(*args)
        return created | {"log": created["config"].stdout}
