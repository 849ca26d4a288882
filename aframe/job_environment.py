"""Which environment variables the jobs of a batch system get."""

from aframe import config, sections

VARIABLES = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL"),
    *("PYTHONPATH", "LD_LIBRARY_PATH", "LAW_HOME"),
    *("OMP_NUM_THREADS", "OMP_WAIT_POLICY"),
    *("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED"),
)
"""Environment variables that every job sees, where they are set: no secrets,
but where the secrets of object storage are."""


def variables() -> list[str]:
    """Environment variables that the jobs of a batch system see.

    Returns:
        Names of all ``AFRAME_*`` variables, of ``environment`` of
        ``[luigi_jobs]``, and of those that a process cannot do without;
        only such as are set.
    """
    here = config.process_environment()
    wanted = [name for name in here if name.startswith("AFRAME_")]
    wanted += [*sections.jobs().environment, *VARIABLES]
    return sorted({name for name in wanted if name in here})


def settings() -> dict[str, str]:
    """Environment variables that jobs get with another value.

    Returns:
        ``LAW_CONFIG_FILE`` as an absolute path, for a job starts elsewhere;
        the directories of ``AFRAME_*`` and ``LAW_HOME`` likewise.
    """
    here = config.process_environment()
    directories = (
        *config.DIRECTORY_VARIABLES.values(),
        "AFRAME_CONTAINER_ROOT",
        "AFRAME_TRITON_ROOT",
        "LAW_HOME",
    )
    given = {
        name: str(config.absolute(here[name]))
        for name in directories
        if here.get(name) and "://" not in here[name]
    }
    file = config.config_file()
    if file is not None:
        given["LAW_CONFIG_FILE"] = str(file.absolute())
    return given
