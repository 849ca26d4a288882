"""Secrets that travel to the cluster: read where they are, shown nowhere."""

import netrc
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from conventions.errors import UserError
from upath import UPath

from aframe import config, sections
from aframe.remote.submission import Secret

WANDB_HOST = "https://api.wandb.ai"
WANDB_VARIABLES = ("WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_PROJECT")
"""Variables of Weights & Biases that are no secret."""


def s3(name: str) -> Secret:
    """The credentials that S3 is asked with.

    They are found as AWS' own tools find them: environment, profile, and
    what a profile refers to.

    Args:
        name: of the secret.

    Raises:
        UserError: if there are none.
    """
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        found = Session().get_credentials()
    except BotoCoreError as error:
        raise UserError(f"no credentials for S3: {error}") from None
    if found is None:
        raise UserError(
            "no credentials for S3: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    fixed = found.get_frozen_credentials()
    values = {
        "AWS_ACCESS_KEY_ID": fixed.access_key,
        "AWS_SECRET_ACCESS_KEY": fixed.secret_key,
    }
    if fixed.token:
        values["AWS_SESSION_TOKEN"] = fixed.token
    return Secret(name, values)


def environment(place: UPath) -> dict[str, str]:
    """Variables that are no secret: where S3 and Weights & Biases answer.

    Args:
        place: in the store that is asked.
    """
    from botocore.session import Session

    session = Session()
    given = config.process_environment()
    endpoint = (
        sections.kubernetes().s3_endpoint_url
        or place.storage_options.get("endpoint_url")
        or given.get("AWS_ENDPOINT_URL_S3")
        or given.get("AWS_ENDPOINT_URL")
        or session.get_scoped_config().get("endpoint_url")
    )
    found = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": session.get_config_variable("region"),
    }
    found |= {name: given.get(name) for name in WANDB_VARIABLES}
    return {name: value for name, value in found.items() if value}


def wandb(name: str) -> Secret:
    """The key of Weights & Biases.

    It is that of ``WANDB_API_KEY``, or the one that ``wandb login`` wrote.

    Args:
        name: of the secret.

    Raises:
        UserError: if there is none.
    """
    environment = config.process_environment()
    key = environment.get("WANDB_API_KEY")
    if not key:
        address = environment.get("WANDB_BASE_URL") or WANDB_HOST
        logins = environment.get("NETRC") or "~/.netrc"
        host = urlsplit(address).hostname or ""
        key = _from_netrc(Path(logins).expanduser(), host)
    if not key:
        raise UserError(
            "no key of Weights & Biases: set WANDB_API_KEY or log in with "
            "wandb login"
        )
    return Secret(name, {"WANDB_API_KEY": key})


def _from_netrc(path: Path, host: str) -> str | None:
    if not path.is_file():
        return None
    try:
        found = netrc.netrc(path).authenticators(host)
    except netrc.NetrcParseError as error:
        raise UserError(
            f"{path}, line {error.lineno}, cannot be read: {error.msg}"
        ) from None
    return found[2] if found else None


def ray(name: str) -> Secret:
    """A token that whoever speaks to a Ray cluster must know, a new one.

    Args:
        name: of the secret.
    """
    return Secret(name, {"RAY_AUTH_TOKEN": secrets.token_hex(32)})


def needs_key(repository: str) -> bool:
    """Whether a git repository is reached by ssh."""
    scheme, found, _ = repository.partition("://")
    return scheme == "ssh" if found else "@" in repository.partition(":")[0]


def git(name: str) -> Secret:
    """The key that reads a git repository, and who the hosts are.

    Args:
        name: of the secret.

    Raises:
        UserError: if one of the files of ``[luigi_ssh]`` is not there.
    """
    ssh = sections.ssh()
    files = {"ssh": ssh.ssh_file, "known_hosts": ssh.known_hosts}
    values = {}
    for key, given in files.items():
        option = "ssh_file" if key == "ssh" else key
        path = config.beside_config(given)
        if not path.is_file():
            raise UserError(
                f"{option} of [luigi_ssh]: there is no {path}, which a "
                "git_repository by ssh needs"
            )
        values[key] = path.read_text()
    return Secret(name, values)
