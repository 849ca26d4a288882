"""The settings that events were found with."""

import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Self

import h5py
from conventions.errors import UserError
from conventions.files import complete

ATTRIBUTE = "settings"
# Ends of an engine's name that change the statistic noticeably.
REDUCED = ("tf32", "bf16", "fp16")


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What another search must do alike for its events to compare.

    Attributes:
        integration_window_length: of the boxcar, in seconds.
        cluster_window_length: an event is the maximum within half of it on
            each side, in seconds.
        recovery_window: an injection is found by an event at most this far
            from it, in seconds.
        psd_length: seconds of data that a PSD is estimated from.
        inference_sampling_rate: network outputs per second, in Hz.
        batch_size: network outputs per request and stream.
        weights_sha256: checksum of the network's weights.
        engine: what evaluated the network, and in which precision.
    """

    integration_window_length: float
    cluster_window_length: float
    recovery_window: float
    psd_length: float
    inference_sampling_rate: float
    batch_size: int
    weights_sha256: str
    engine: str = ""

    @property
    def precision(self) -> str:
        """Precision of the network, as the engine's name ends."""
        words = self.engine.split()
        return words[-1] if words and words[-1] in REDUCED else "fp32"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``settings.json``.

        Args:
            path: the file.

        Raises:
            UserError: if there is no such file or it is something else.
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(
                f"no search settings at {path}: inference writes them beside "
                "its events"
            )
        try:
            return cls._from_json(path.read_text())
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} does not hold search settings "
                f"({type(error).__name__}: {error})"
            ) from error

    @classmethod
    def _from_json(cls, text: str) -> Self:
        content = json.loads(text)
        return cls(
            **{
                field.name: content[field.name]
                for field in fields(cls)
                if field.default is MISSING or field.name in content
            }
        )

    def check(self, source: str, path: Path, **settings: float) -> None:
        """Compare with the settings of a configuration.

        Args:
            source: where ``settings`` come from, for the message.
            path: where these settings were read.
            settings: values by the names of the attributes.

        Raises:
            UserError: naming every setting that differs, and both values.
        """
        differences = [
            f"{name}: {getattr(self, name)} in {path}, {value} in {source}"
            for name, value in settings.items()
            if getattr(self, name) != value
        ]
        if differences:
            raise UserError(
                "the events were found with other settings:\n  "
                + "\n  ".join(differences)
                + f"\nput the settings back, or delete {path} to search again"
            )

    def note(self, path: Path) -> None:
        """Note the settings in a slide's file.

        Args:
            path: an HDF5 file, which gets an attribute.
        """
        with h5py.File(path, "a") as file:
            file.attrs[ATTRIBUTE] = json.dumps(asdict(self))

    def check_slide(self, path: Path) -> None:
        """Compare with what a slide's file says.

        Engines of the same precision give the same outputs, so that a
        search may go on with another one.

        Args:
            path: see :meth:`note`.

        Raises:
            UserError: naming every setting that differs, and both values;
                or if the file is unreadable or says nothing.
        """
        try:
            with h5py.File(path) as file:
                found = self._from_json(file.attrs[ATTRIBUTE])
        except FileNotFoundError as error:
            raise UserError(f"there is no file {path}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} does not say what the slide was searched with "
                f"({type(error).__name__}: {error}): delete its directory to "
                "search it again"
            ) from error
        same = found.precision == self.precision
        differences = [
            f"{name}: {value} in this slide, {getattr(self, name)} asked for"
            for name, value in asdict(found).items()
            if value != getattr(self, name) and not (name == "engine" and same)
        ]
        if differences:
            raise UserError(
                f"{path.parent} was searched with other settings:\n  "
                + "\n  ".join(differences)
                + "\nput the settings back, or delete the directory to "
                "search it again"
            )

    def write(self, path: Path) -> None:
        """Write ``settings.json``, complete or not at all.

        Args:
            path: the file.
        """
        with complete(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n")
