"""Single objects: look at them, write them, read them, list them."""

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from conventions.errors import UserError
from conventions.files import scratch_beside
from upath import UPath

from storage.client import call, explained, filesystem, is_missing
from storage.locations import (
    Location,
    bucket_and_key,
    is_remote,
    object_address,
)

PART_SIZE = 32 * 2**20
"""Bytes of a part of a large upload; twice as many go in one piece."""

PARTS_AT_ONCE = 4
STREAM_BLOCK = 2**20
"""Bytes that are read ahead in an object that is read in pieces."""

SHA256 = "sha256"
WRITTEN = "written-ns"
"""What an upload notes beside an object."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """What a store tells of an object.

    Attributes:
        size: bytes.
        etag: changes with the content.
        sha256: checksum of the content, None if it was not written by
            :func:`upload`.
        modified_ns: when it was written, ns since the epoch: by the clock of
            the machine that wrote it, like the time of a file. That of an
            object of others is by the store's clock, in whole seconds.
    """

    size: int
    etag: str
    sha256: str | None
    modified_ns: int


def stat(remote: UPath) -> Stored | None:
    """Look at one object, by one request, which lists nothing.

    Args:
        remote: the object.

    Returns:
        None if there is no such object or bucket.

    Raises:
        UserError: if the store refuses or does not answer.
    """
    with explained(remote):
        try:
            return _look(remote)
        except OSError as error:
            if is_missing(error):
                return None
            raise


def require(remote: UPath) -> Stored:
    """Look at one object that is to be there.

    Args:
        remote: the object.

    Raises:
        UserError: if there is no such object or bucket, or the store refuses
            or does not answer.
    """
    with explained(remote):
        return _look(remote)


def _look(remote: UPath) -> Stored:
    head = call(remote, "head_object")
    notes = head.get("Metadata", {})
    seconds = int(head["LastModified"].timestamp())
    return Stored(
        size=head["ContentLength"],
        etag=head["ETag"].strip('"'),
        sha256=notes.get(SHA256),
        modified_ns=int(notes.get(WRITTEN, seconds * 10**9)),
    )


def exists(place: Location) -> bool:
    """Whether there is a file or an object, without listing anything.

    Raises:
        UserError: if the store refuses or does not answer.
    """
    return stat(place) is not None if is_remote(place) else place.is_file()


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def upload(local: str | os.PathLike[str], remote: UPath) -> Stored:
    """Copy a file into a store: it is there completely or not at all.

    Failed requests are repeated. The store compares the checksum of what it
    receives; its size and checksum are looked at once more in the end. A
    large file goes in parts, which nobody sees before all are there; those
    of an upload that was interrupted are removed, at once or, after a kill,
    by the next one to the same place.

    Args:
        local: the file.
        remote: where it goes; an object that is there is replaced.

    Returns:
        What is now there.

    Raises:
        UserError: if the store refuses or does not answer, or holds
            something else in the end.
    """
    local = Path(local)
    object_address(remote)
    size, checksum = local.stat().st_size, digest(local)
    in_parts = size >= 2 * PART_SIZE
    with explained(remote):
        try:
            filesystem(remote).put_file(
                str(local),
                remote.path,
                chunksize=PART_SIZE,
                max_concurrency=PARTS_AT_ONCE,
                Metadata={SHA256: checksum, WRITTEN: str(time.time_ns())},
            )
        finally:
            if in_parts:
                _remove_parts(remote)
    stored = stat(remote)
    if stored is None or (stored.size, stored.sha256) != (size, checksum):
        raise UserError(
            f"{remote} is not what was uploaded from {local}: is another "
            "process writing it?"
        )
    return stored


def _remove_parts(remote: UPath) -> None:
    """Remove parts of all uploads to a place that did not come to an end."""
    from botocore.exceptions import BotoCoreError

    bucket, key = bucket_and_key(remote)
    client = filesystem(remote)
    try:
        found = client.call_s3(
            "list_multipart_uploads", Bucket=bucket, Prefix=key
        )
        for begun in found.get("Uploads", ()):
            if begun["Key"] == key:
                call(
                    remote,
                    "abort_multipart_upload",
                    UploadId=begun["UploadId"],
                )
    except (OSError, BotoCoreError) as error:
        # They cost space, but the object is as it should be.
        _logger.info(
            "parts of interrupted uploads to %s stay: %s", remote, error
        )


def remove(remote: UPath) -> None:
    """Remove an object; none need be there.

    Raises:
        UserError: if the store refuses or does not answer.
    """
    with explained(remote):
        call(remote, "delete_object")


@contextmanager
def writing(place: Location, scratch: Path) -> Iterator[Path]:
    """Give a path to write a file to, wherever it goes in the end.

    Args:
        place: where it goes. For a path of this machine, the body sees that
            path and is itself to write it completely or not at all.
        scratch: directory of this machine for files on their way to a
            store.

    Yields:
        The path to write to, which has the same name. Leaving the body
        uploads it; a body that raises leaves the store as it was.

    Raises:
        UserError: as :func:`upload`.
        FileNotFoundError: if the body did not write the file.
    """
    if not is_remote(place):
        yield place
        return
    with scratch_beside(_below(scratch, "uploads", place)) as directory:
        yield directory / place.name
        upload(directory / place.name, place)


def _below(directory: Path, name: str, remote: UPath) -> Path:
    return directory.joinpath(name, *bucket_and_key(remote))


def entries(directory: UPath, pattern: str) -> dict[UPath, tuple[int, str]]:
    """List objects right below a remote directory.

    Only names that begin as the pattern does are asked for.

    Args:
        directory: its objects' keys begin with its own and a slash.
        pattern: of names, with ``*``, ``?`` and ``[...]``.

    Returns:
        Size and etag of each, in order of names.

    Raises:
        UserError: if the store refuses or does not answer, or there is no
            such bucket.
    """
    bucket, key = bucket_and_key(directory)
    prefix = f"{key}/" if key else ""
    begin = min(
        (pattern.index(sign) for sign in "*?[" if sign in pattern),
        default=len(pattern),
    )
    arguments = {
        "Bucket": bucket,
        "Prefix": prefix + pattern[:begin],
        "Delimiter": "/",
    }
    found = {}
    with explained(directory):
        while True:
            page = filesystem(directory).call_s3(
                "list_objects_v2", **arguments
            )
            for entry in page.get("Contents", ()):
                name = entry["Key"].removeprefix(prefix)
                if name and fnmatchcase(name, pattern):
                    about = (entry["Size"], entry["ETag"].strip('"'))
                    found[directory / name] = about
            if not page.get("IsTruncated"):
                return dict(sorted(found.items(), key=lambda x: x[0].name))
            arguments["ContinuationToken"] = page["NextContinuationToken"]


def listing(directory: Location, pattern: str) -> list[Location]:
    """List files right below a directory, in order of their names.

    Args:
        directory: of this machine or of a store.
        pattern: of names, with ``*``, ``?`` and ``[...]``.

    Raises:
        UserError: if the store refuses or does not answer, or there is no
            such bucket.
    """
    if is_remote(directory):
        return list(entries(directory, pattern))
    return sorted(directory.glob(pattern))


@contextmanager
def opened(place: Location) -> Iterator[BinaryIO]:
    """Open a file or an object for reading pieces of it.

    ``h5py.File`` takes what is yielded: reading a slice fetches that slice,
    what describes it, and at most a megabyte beyond each.

    Args:
        place: of this machine or of a store.

    Yields:
        A binary file. An object that is replaced meanwhile is an error.

    Raises:
        UserError: if there is no such object, or the store refuses or does
            not answer, then or within the body.
    """
    if not is_remote(place):
        with place.open("rb") as file:
            yield file
        return
    require(place)
    with (
        explained(place),
        filesystem(place).open(
            place.path,
            "rb",
            block_size=STREAM_BLOCK,
            cache_type="readahead",
        ) as file,
    ):
        yield file
