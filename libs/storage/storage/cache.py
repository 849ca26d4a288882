"""Copies of remote objects on a node, made once for all its processes."""

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from conventions.errors import UserError
from conventions.files import complete
from filelock import FileLock
from upath import UPath

from storage.client import endpoint, explained, filesystem
from storage.locations import Location, bucket_and_key, is_remote
from storage.objects import Stored, digest, entries, require

READ_SIZE = 16 * 2**20
DOWNLOADS_AT_ONCE = 4


def cached(place: Location, cache: Path) -> Path:
    """Copy an object to this node, unless a copy is there.

    A copy serves only while the object has the same size and etag, and while
    it is itself as it was when its checksum was compared: one that was
    touched is compared anew. When several processes ask at once, one copies
    and the others wait.

    Args:
        place: the object; a path of this machine is returned as it is.
        cache: directory of this node for copies, the same for all processes
            that are to share them.

    Returns:
        Path of the copy, which has the object's name and is not to be
        changed.

    Raises:
        UserError: if there is no such object, the store refuses or does not
            answer, what arrives does not have its checksum, or there is no
            room for it.
    """
    if not is_remote(place):
        return place
    stored = require(place)
    return _copy(place, (stored.size, stored.etag), _copy_path(place, cache))


def cached_directory(place: Location, pattern: str, cache: Path) -> Path:
    """Copy files of a remote directory to this node, as :func:`cached` does.

    Args:
        place: the directory; one of this machine is returned as it is.
        pattern: of names of files in it; others are left out.
        cache: directory of this node for copies.

    Returns:
        A directory with the files whose names match; copies of what is no
        longer there are removed from it.

    Raises:
        UserError: if no name matches, or as :func:`cached`.
    """
    if not is_remote(place):
        return place
    found = entries(place, pattern)
    if not found:
        raise UserError(
            f"{place} (endpoint {endpoint(place)}) has no files {pattern}"
        )
    directory = _copy_path(place, cache)
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        copies = [
            pool.submit(partial(_copy, remote, about, directory / remote.name))
            for remote, about in found.items()
        ]
        kept = {copy.result() for copy in copies}
    for old in set(directory.glob(pattern)) - kept:
        old.unlink(missing_ok=True)
    return directory


def _copy_path(remote: UPath, cache: Path) -> Path:
    with explained(remote):
        host = urlsplit(endpoint(remote)).netloc.replace(":", "_")
    bucket, key = bucket_and_key(remote)
    return cache.joinpath("s3", host, bucket, *key.split("/"))


def _copy(remote: UPath, about: tuple[int, str], path: Path) -> Path:
    if _is_good(path, about):
        return path
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(path.parent / f".{path.name}.lock"):
        stored = require(remote)
        if not _is_good(path, (stored.size, stored.etag)):
            _download(remote, stored, path)
    return path


def _notes(path: Path) -> Path:
    return path.parent / f".{path.name}.json"


def _is_good(path: Path, about: tuple[int, str]) -> bool:
    """Whether a copy is there, of what the store has, and unharmed."""
    try:
        notes = json.loads(_notes(path).read_text())
        found = path.stat()
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    if (notes["size"], notes["etag"]) != about or found.st_size != about[0]:
        return False
    if found.st_ctime_ns == notes["ctime_ns"]:
        return True
    if digest(path) != notes["sha256"]:
        return False
    _note(path, about, notes["sha256"])
    return True


def _note(path: Path, about: tuple[int, str], checksum: str) -> None:
    """Note what a copy is; nothing changes it without another ctime."""
    notes = {
        "size": about[0],
        "etag": about[1],
        "sha256": checksum,
        "ctime_ns": path.stat().st_ctime_ns,
    }
    with complete(_notes(path)) as temporary:
        temporary.write_text(json.dumps(notes))


def _download(remote: UPath, stored: Stored, path: Path) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < stored.size:
        raise UserError(
            f"no room in {path.parent} for {remote}: {free:,} bytes are free "
            f"of {stored.size:,}"
        )
    checksum = hashlib.sha256()
    with complete(path) as temporary:
        with (
            explained(remote),
            filesystem(remote).open(
                remote.path, "rb", cache_type="none"
            ) as source,
            temporary.open("wb") as target,
        ):
            while piece := source.read(READ_SIZE):
                checksum.update(piece)
                target.write(piece)
        found = temporary.stat().st_size, checksum.hexdigest()
        if found != (stored.size, stored.sha256 or found[1]):
            raise UserError(
                f"{remote} (endpoint {endpoint(remote)}) is damaged, or was "
                f"replaced while it was read: {found[0]} bytes with SHA-256 "
                f"{found[1]} arrived, {stored.size} bytes with "
                f"{stored.sha256 or 'any'} were expected. Upload it anew"
            )
    _note(path, (stored.size, stored.etag), found[1])
