"""Files of tasks: on this machine, or in a store and copied as needed."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import storage
from conventions.errors import UserError
from conventions.files import complete, scratch_beside
from law.target.base import Target
from storage import Location

from aframe import config

DOWNLOADS_AT_ONCE = 8


class FileTarget(Target):
    """A file that is complete or absent, on this machine or in a store.

    A path that begins with an unset environment variable can be listed; it
    does not exist.

    Attributes:
        file: where it is.
    """

    def __init__(self, file: str | Location, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = config.absolute(file) if isinstance(file, str) else file
        self._found: storage.Stored | None = None

    @property
    def path(self) -> str:
        """Where it is, as a string."""
        return str(self.file)

    def uri(self, return_all: bool = False) -> str | list[str]:
        """Where it is, for law."""
        return [self.path] if return_all else self.path

    def _repr_pairs(self) -> list[tuple[str, str]]:
        return [*super()._repr_pairs(), ("path", self.path)]

    def exists(self, **kwargs: Any) -> bool:
        """Whether the file is there; a store is asked about this one alone.

        Raises:
            UserError: if the store refuses or does not answer.
        """
        if config.unset_variable(self.file):
            return False
        if not storage.is_remote(self.file):
            return self.file.is_file()
        self._found = storage.stat(self.file)
        return self._found is not None

    def modified(self) -> int:
        """Time of the last change, in nanoseconds since the epoch.

        Raises:
            UserError: if it is in a store and not there.
        """
        if not storage.is_remote(self.file):
            return self.file.stat().st_mtime_ns
        found = self._found or storage.stat(self.file)
        if found is None:
            raise UserError(f"{self.file} is not there any more")
        return found.modified_ns

    def remove(self, silent: bool = True, **kwargs: Any) -> None:
        """Remove the file.

        Args:
            silent: none need be there.
            kwargs: law's for other kinds of files, ignored.
        """
        if not storage.is_remote(self.file):
            self.file.unlink(missing_ok=silent)
        elif silent or self.exists():
            storage.remove(self.file)
        else:
            raise FileNotFoundError(self.path)

    @property
    def basename(self) -> str:
        """Its name, for law to fetch it."""
        return self.file.name

    def stat(self) -> SimpleNamespace:
        """Its size, for law to fetch it.

        Raises:
            FileNotFoundError: if it is not there.
        """
        if not storage.is_remote(self.file):
            return SimpleNamespace(st_size=self.file.stat().st_size)
        found = storage.stat(self.file)
        if found is None:
            raise FileNotFoundError(self.path)
        return SimpleNamespace(st_size=found.size)

    def copy_to_local(self, path: str, **kwargs: Any) -> None:
        """Copy it to a path of this machine, for law to fetch it.

        Args:
            path: where to.
            kwargs: law's for other kinds of files, ignored.
        """
        with complete(path) as temporary:
            shutil.copyfile(self.local(), temporary)

    def local(self) -> Path:
        """The file on this machine, for reading.

        Raises:
            UserError: if it cannot be copied from its store.
        """
        return local(self.file)

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Give a path of this machine to write the file to.

        Who writes a local file does so completely or not at all; one that
        goes to a store is uploaded when the body ends well.

        Raises:
            UserError: if it cannot be uploaded.
        """
        if not storage.is_remote(self.file):
            yield self.file
            return
        with storage.writing(self.file, config.scratch_directory()) as path:
            yield path


def local(place: Location) -> Path:
    """A file on this machine: itself, or a copy that is as the store's.

    Args:
        place: where it is.

    Raises:
        UserError: if it cannot be copied.
    """
    if not storage.is_remote(place):
        return place
    return storage.cached(place, config.scratch_directory())


def locals_of(targets: Iterable[FileTarget]) -> list[Path]:
    """Many files on this machine, in the same order.

    Args:
        targets: what they are.

    Raises:
        UserError: if one cannot be copied.
    """
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        return list(pool.map(FileTarget.local, targets))


@contextmanager
def writing(outputs: Mapping[str, FileTarget]) -> Iterator[dict[str, Path]]:
    """Give paths to write several files to, as `FileTarget.writing` does.

    Args:
        outputs: the files by name; the last one is uploaded first.

    Yields:
        A path by each name.
    """
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(target.writing())
            for name, target in outputs.items()
        }


@contextmanager
def writing_directory(outputs: Mapping[str, FileTarget]) -> Iterator[Path]:
    """Give a directory of this machine to write files to by their names.

    Args:
        outputs: files of one directory.

    Yields:
        The directory. If it is in a store, another one, of which all files
        are uploaded when the body ends well: those of ``outputs`` in their
        order, after all others.
    """
    directory = next(iter(outputs.values())).file.parent
    if not storage.is_remote(directory):
        yield directory
        return
    with scratch_beside(config.scratch_directory() / "outputs") as here:
        yield here
        last = [target.file.name for target in outputs.values()]
        other = sorted(path.name for path in here.iterdir())
        for name in [*(n for n in other if n not in last), *last]:
            storage.upload(here / name, directory / name)


@contextmanager
def writing_groups(
    groups: Sequence[Mapping[str, FileTarget]],
) -> Iterator[list[dict[str, Path]]]:
    """Give paths to write groups of files to, each of use by itself.

    Args:
        groups: files by name.

    Yields:
        Paths by the same names. However the body ends, groups of which all
        files are there go to where they belong.
    """
    every = [target for group in groups for target in group.values()]
    if not any(storage.is_remote(target.file) for target in every):
        yield [{k: t.file for k, t in group.items()} for group in groups]
        return
    with scratch_beside(config.scratch_directory() / "outputs") as here:
        paths = [
            {
                name: here / str(number) / target.file.name
                for name, target in group.items()
            }
            for number, group in enumerate(groups)
        ]
        try:
            yield paths
        finally:
            for group, written in zip(groups, paths, strict=True):
                if all(path.is_file() for path in written.values()):
                    for name, target in group.items():
                        storage.upload(written[name], target.file)
