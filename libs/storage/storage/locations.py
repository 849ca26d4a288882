"""Where a file is: a path of this machine, or an object of a store."""

import os
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from conventions.errors import UserError
from upath import UPath

Location: TypeAlias = Path | UPath
"""``/``, ``.name``, ``.parent``, ``.suffix`` and ``str()`` work for both."""

SCHEME = "s3"


def location(
    place: str | os.PathLike[str] | UPath, endpoint_url: str | None = None
) -> Location:
    """Read where a file or directory is.

    Nothing is looked up: a location may name what is not there.

    Args:
        place: a path, or a URL such as ``s3://bucket/directory/file``.
        endpoint_url: of the store, for ``s3://``; default what the standard
            AWS environment or profile says, or AWS itself. The location
            keeps it, and what is derived from it by ``/`` and ``.parent``.

    Returns:
        A ``Path``, or for ``s3://`` a ``UPath``.

    Raises:
        UserError: if the URL is of another kind or names no bucket, or one
            of the URLs holds a name or password (which is not repeated).
    """
    if not isinstance(place, str):
        if is_remote(place):
            return place
        place = os.fspath(place)
    scheme, separator, rest = place.partition("://")
    if not separator:
        return Path(place)
    bucket, *keys = rest.rstrip("/").split("/")
    if "@" in bucket:
        raise UserError(
            f"a URL {scheme}:// holds credentials: give them by the standard "
            "AWS environment or profile alone, and write s3://bucket/key"
        )
    if scheme != SCHEME:
        raise UserError(
            f"{place} is neither a path of this machine nor s3://bucket/key"
        )
    if not bucket or {"", ".", ".."} & {bucket, *keys} or "?" in rest:
        raise UserError(
            f"{place} is not of the form s3://bucket/key, without empty "
            "parts, . and .., and ?"
        )
    url = f"{SCHEME}://{'/'.join((bucket, *keys))}"
    if not endpoint_url:
        return UPath(url)
    _check_endpoint(endpoint_url)
    return UPath(url, endpoint_url=endpoint_url)


def _check_endpoint(url: str) -> None:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise UserError(
            "the endpoint's URL holds credentials: give them by the standard "
            "AWS environment or profile alone"
        )
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UserError(
            f"endpoint {url} is not of the form https://host or "
            "http://host:port"
        )


def is_remote(place: object) -> bool:
    """Whether a location is in a store, and not on this machine."""
    return isinstance(place, UPath) and place.protocol == SCHEME


def bucket_and_key(remote: UPath) -> tuple[str, str]:
    """Split a remote location.

    Args:
        remote: of an object or a directory of objects.

    Returns:
        Bucket, and key without a slash at either end.
    """
    bucket, _, key = remote.path.partition("/")
    return bucket, key.strip("/")


def object_address(remote: UPath) -> tuple[str, str]:
    """Split the location of one object.

    Args:
        remote: the object.

    Returns:
        Bucket and key.

    Raises:
        UserError: if it names a bucket alone.
    """
    bucket, key = bucket_and_key(remote)
    if not key:
        raise UserError(f"{remote} names a bucket, and no object in it")
    return bucket, key
