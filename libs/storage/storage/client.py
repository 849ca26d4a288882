"""How a store is asked, and what is said when it does not answer.

s3fs takes half a second to import: whoever has local paths alone never waits
for it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conventions.errors import UserError
from upath import UPath

from storage.locations import bucket_and_key, object_address

if TYPE_CHECKING:
    from s3fs import S3FileSystem

ATTEMPTS = 5
"""How often a request is made, before its failure is one."""

NO_CREDENTIALS = (
    *("NoCredentialsError", "PartialCredentialsError"),
    *("CredentialRetrievalError", "ProfileNotFound"),
)
NOT_FOUND = ("404", "NoSuchKey", "NoSuchBucket")


def filesystem(remote: UPath) -> "S3FileSystem":
    """The client that speaks to the store of a location.

    Args:
        remote: names its endpoint, or leaves it to the environment.

    Returns:
        The same one for all threads of this process.
    """
    # A forked process cannot use its parent's connections.
    return _filesystem(os.getpid(), remote.storage_options.get("endpoint_url"))


@lru_cache
def _filesystem(pid: int, endpoint_url: str | None) -> "S3FileSystem":
    from s3fs import S3FileSystem

    return S3FileSystem(
        endpoint_url=endpoint_url,
        config_kwargs={
            "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS}
        },
        use_listings_cache=False,
        skip_instance_cache=True,
    )


def forget() -> None:
    """Read credentials and settings anew, at the next request."""
    _filesystem.cache_clear()


def call(remote: UPath, method: str, **arguments: Any) -> dict[str, Any]:
    """Make one request about an object, with retries.

    Args:
        remote: the object.
        method: of botocore's S3 client.
        arguments: of the method, beside ``Bucket`` and ``Key``.
    """
    bucket, key = object_address(remote)
    return filesystem(remote).call_s3(
        method, Bucket=bucket, Key=key, **arguments
    )


def endpoint(remote: UPath) -> str:
    """URL of the store that a location is in."""
    from botocore.exceptions import BotoCoreError

    try:
        return filesystem(remote).s3.meta.endpoint_url
    except BotoCoreError:
        given = remote.storage_options.get("endpoint_url")
        return given or os.environ.get("AWS_ENDPOINT_URL") or "AWS"


@contextmanager
def explained(remote: UPath) -> Iterator[None]:
    """Say in a user's words what a store or the way to it refused.

    Other errors pass. No message holds a credential.

    Args:
        remote: what the body is about.

    Raises:
        UserError: naming the URL, the endpoint, what is wrong, and where
            credentials were looked for if it may be them.
    """
    try:
        yield
    except Exception as error:
        text = _explain(error, remote)
        if text is None:
            raise
        raise UserError(
            f"{remote} (endpoint {endpoint(remote)}): {text}"
        ) from None


def error_code(error: BaseException) -> str:
    """The store's word for what is wrong, empty if it is not its answer."""
    from botocore.exceptions import ClientError

    for cause in (error, error.__cause__):
        if isinstance(cause, ClientError):
            return cause.response.get("Error", {}).get("Code", "")
    return ""


def is_missing(error: BaseException) -> bool:
    """Whether a store answered that there is no such thing."""
    return error_code(error) in NOT_FOUND


def _explain(error: Exception, remote: UPath) -> str | None:
    from botocore.exceptions import BotoCoreError
    from s3fs.core import S3_RETRYABLE_ERRORS

    code = error_code(error)
    if code:
        return _explain_answer(code, remote)
    name = type(error).__name__
    if name in NO_CREDENTIALS:
        return f"no credentials were found ({error}); {credentials_sought()}"
    if isinstance(error, (BotoCoreError, *S3_RETRYABLE_ERRORS)):
        return f"the store cannot be reached or does not answer ({error})"
    return None


def _explain_answer(code: str, remote: UPath) -> str:
    bucket, _ = bucket_and_key(remote)
    if code == "NoSuchBucket" or (code == "404" and not _has_bucket(remote)):
        return f"there is no bucket {bucket}"
    if code in NOT_FOUND:
        return "there is no such object"
    refused = ("AccessDenied", "Forbidden", "403", "ExpiredToken")
    unknown = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken")
    if code in (*refused, *unknown):
        return (
            f"the store refused the credentials, or does not let them do "
            f"this ({code}); {credentials_sought()}"
        )
    if code == "NoSuchUpload":
        return "another process wrote it at the same time"
    if code == "PreconditionFailed":
        return "it was replaced while it was read"
    return f"the store answered with the error {code}"


def _has_bucket(remote: UPath) -> bool:
    """A store's answer to HEAD does not say what is missing."""
    bucket, _ = bucket_and_key(remote)
    try:
        filesystem(remote).call_s3("head_bucket", Bucket=bucket)
    except OSError as error:
        return not is_missing(error)
    return True


def credentials_sought() -> str:
    """Where credentials were looked for, for a message; never what they are.

    See botocore's documentation of credentials for the order.
    """
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    found = [
        f"{name} ({'set' if os.environ.get(name) else 'not set'})"
        for name in names
    ]
    profile = os.environ.get("AWS_PROFILE") or "default"
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
        "AWS_CONFIG_FILE": "~/.aws/config",
    }
    for variable, default in files.items():
        path = Path(os.environ.get(variable) or default).expanduser()
        found.append(f"{path} ({'there' if path.is_file() else 'not there'})")
    return (
        f"credentials were looked for in the environment's {found[0]} and "
        f"{found[1]}, and in the profile {profile} of {found[2]} and "
        f"{found[3]}"
    )
