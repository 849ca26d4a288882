"""The manifest that travels with a network's weights."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from conventions.errors import UserError
from conventions.files import complete

from preprocessing.config import Preprocessing

FORMAT = "aframe-manifest-1"
WHITENED = "whitened"
REPOSITORY_FIELDS = (
    "psd_length",
    "inference_sampling_rate",
    "batch_size",
    "platform",
)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class InputSpec:
    """One input of a network.

    Attributes:
        name: of the input.
        shape: of one sample, without the batch dimension.
        representation: what it is made of whitened kernels by; a name in
            ``preprocessing.representations``.
        arguments: of the representation, by name.
    """

    name: str
    shape: tuple[int, ...]
    representation: str = WHITENED
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Build from JSON; one without a representation is whitened."""
        return cls(
            content["name"],
            tuple(content["shape"]),
            content.get("representation", WHITENED),
            dict(content.get("arguments", {})),
        )

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; what is the default is left out."""
        content = {"name": self.name, "shape": list(self.shape)}
        if self.representation != WHITENED:
            content["representation"] = self.representation
        if self.arguments:
            content["arguments"] = dict(self.arguments)
        return content


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a network was trained with, and how it is served.

    Attributes:
        preprocessing: how strain becomes the network's input.
        left_pad: coalescences were at least this far from the kernel's left
            edge in training, in seconds.
        right_pad: the same for the right edge, in seconds.
        inputs: the network's inputs, in the order of its arguments.
        versions: of the packages that trained it.
        git_revision: of the code that trained it, None if unknown.
        weights_sha256: checksum of ``model.pt``.
        psd_length: seconds of data of the PSD estimate in inference.
        inference_sampling_rate: network outputs per second, in Hz.
        batch_size: network outputs per request and stream.
        platform: Triton platform of the network.
        fp16: whether the server computes the network in half precision; a
            manifest without it means no.

    The four before ``fp16`` are None unless this is a model repository's
    manifest.
    """

    preprocessing: Preprocessing
    left_pad: float
    right_pad: float
    inputs: tuple[InputSpec, ...]
    weights_sha256: str
    versions: Mapping[str, str] = field(default_factory=dict)
    git_revision: str | None = None
    psd_length: float | None = None
    inference_sampling_rate: float | None = None
    batch_size: int | None = None
    platform: str | None = None
    fp16: bool = False

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``manifest.json``.

        Raises:
            UserError: if there is no such file or it is not a manifest.
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(
                f"no manifest at {path}: it is written beside the weights "
                "at the end of a training, and by export"
            )
        try:
            content = json.loads(path.read_text())
            if content["format"] != FORMAT:
                raise ValueError(content["format"])
            return cls._from_dict(content)
        except (ValueError, KeyError, TypeError) as error:
            detail = f"{type(error).__name__}: {error}"
            raise UserError(
                f"{path} is not a manifest of format {FORMAT} ({detail})"
            ) from error

    @classmethod
    def _from_dict(cls, content: Mapping[str, Any]) -> Self:
        inputs = tuple(map(InputSpec.from_dict, content["inputs"]))
        return cls(
            preprocessing=Preprocessing.from_dict(content),
            left_pad=content["left_pad"],
            right_pad=content["right_pad"],
            inputs=inputs,
            weights_sha256=content["weights_sha256"],
            versions=content["versions"],
            git_revision=content["git_revision"],
            fp16=content.get("fp16", False),
            **{name: content.get(name) for name in REPOSITORY_FIELDS},
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields, flattened, ready for JSON."""
        content = {
            "format": FORMAT,
            **self.preprocessing.to_dict(),
            "left_pad": self.left_pad,
            "right_pad": self.right_pad,
            "inputs": [spec.to_dict() for spec in self.inputs],
            "versions": dict(self.versions),
            "git_revision": self.git_revision,
            "weights_sha256": self.weights_sha256,
        }
        served = {name: getattr(self, name) for name in REPOSITORY_FIELDS}
        if self.fp16:
            served["fp16"] = True
        return content | {k: v for k, v in served.items() if v is not None}

    def write(self, path: Path) -> None:
        """Write ``manifest.json``, complete or not at all."""
        with complete(path) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=2) + "\n")

    def extended(
        self,
        *,
        psd_length: float,
        inference_sampling_rate: float,
        batch_size: int,
        platform: str,
        fp16: bool = False,
    ) -> Self:
        """The manifest of a model repository that serves this network.

        Args:
            psd_length: seconds of data of the PSD estimate.
            inference_sampling_rate: network outputs per second, in Hz.
            batch_size: network outputs per request and stream.
            platform: Triton platform of the network.
            fp16: whether the server computes in half precision.
        """
        return dataclasses.replace(
            self,
            psd_length=float(psd_length),
            inference_sampling_rate=float(inference_sampling_rate),
            batch_size=batch_size,
            platform=platform,
            fp16=fp16,
        )

    def check(
        self, source: str, path: str | Path = "manifest", **settings: Any
    ) -> None:
        """Compare settings of a later stage with those of this manifest.

        Args:
            source: where the settings come from, for the error.
            path: where this manifest comes from, for the error.
            settings: values by the name of the manifest's field; a
                ``fftlength`` of None stands for its default.

        Raises:
            UserError: naming every setting that differs, with both values.
            TypeError: if a name is not one of the manifest's.
        """
        known = self.preprocessing.to_dict() | {
            name: getattr(self, name)
            for name in ("left_pad", "right_pad", "fp16", *REPOSITORY_FIELDS)
        }
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise TypeError(f"not in a manifest: {', '.join(unknown)}")
        given = dict(settings)
        if "fftlength" in given and given["fftlength"] is None:
            lengths = known | given
            given["fftlength"] = (
                lengths["kernel_length"] + lengths["fduration"]
            )
        differences = [
            f"{name}: {known[name]} in {path}, {value} in {source}"
            for name, value in given.items()
            if not _same(known[name], value)
        ]
        if differences:
            raise UserError(
                "settings differ from those the network was trained or "
                "exported with:\n  " + "\n  ".join(differences)
            )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return one == other
