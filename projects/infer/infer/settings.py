"""The settings that events were found with."""

import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Self

from conventions.errors import UserError
from conventions.files import complete


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
        engine: what evaluated the network, which hardly changes the events.
    """

    integration_window_length: float
    cluster_window_length: float
    recovery_window: float
    psd_length: float
    inference_sampling_rate: float
    batch_size: int
    weights_sha256: str
    engine: str = ""

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
            content = json.loads(path.read_text())
            return cls(
                **{
                    field.name: content[field.name]
                    for field in fields(cls)
                    if field.default is MISSING or field.name in content
                }
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} does not hold search settings "
                f"({type(error).__name__}: {error})"
            ) from error

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

    def write(self, path: Path) -> None:
        """Write ``settings.json``, complete or not at all.

        Args:
            path: the file.
        """
        with complete(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n")
