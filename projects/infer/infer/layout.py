"""How a stretch of strain is cut into requests, and outputs back into time."""

from dataclasses import dataclass
from typing import Self

from conventions.errors import UserError
from preprocessing.config import whole_samples
from preprocessing.manifest import Manifest


@dataclass(frozen=True)
class StreamLayout:
    """The requests of one sequence (science.md, Streaming inference).

    The sequence is preceded by as many outputs' worth of zeros as make the
    burn-in end with a request. So the first output that counts is the first
    of its request, and the PSD that whitens it is the same whatever the
    batch size. That PSD ends where the first kernel's window begins, and
    thus holds ``window_size - stride`` zeros from before the segment: it is
    too low by a little (see the README) for that request alone.

    Attributes:
        num_samples: samples of strain in the segment.
        stride: samples between two outputs.
        batch_size: outputs per request and stream.
        burn_in: outputs of the segment that are dropped at its start.
        state_size: samples that precede a request's own and that its
            outputs depend on.
    """

    num_samples: int
    stride: int
    batch_size: int
    burn_in: int
    state_size: int

    @classmethod
    def from_manifest(cls, manifest: Manifest, num_samples: int) -> Self:
        """Lay out a segment for an exported network.

        Args:
            manifest: of the model repository.
            num_samples: samples of strain in the segment.

        Raises:
            UserError: if the manifest is not that of a model repository, a
                length is not a whole number of samples, or the segment has
                no output after the burn-in.
        """
        served = (
            manifest.psd_length,
            manifest.inference_sampling_rate,
            manifest.batch_size,
        )
        if None in served:
            raise UserError(
                "the manifest has no psd_length, inference_sampling_rate and "
                "batch_size: it is that of a training; take the one in the "
                "model repository"
            )
        psd_length, rate, batch_size = served
        settings = manifest.preprocessing
        stride = settings.size("1 / inference_sampling_rate", 1 / rate)
        psd_size = settings.size("psd_length", psd_length)
        burn_in = whole_samples("psd_length", psd_length, rate)
        layout = cls(
            num_samples=num_samples,
            stride=stride,
            batch_size=batch_size,
            burn_in=burn_in,
            state_size=psd_size + settings.window_size - stride,
        )
        if layout.num_outputs < 1:
            raise UserError(
                f"{num_samples / settings.sample_rate:g} s of simultaneous "
                f"data give no output: psd_length is {psd_length:g} s"
            )
        return layout

    @property
    def update_size(self) -> int:
        """Samples that a request brings."""
        return self.batch_size * self.stride

    @property
    def psd_size(self) -> int:
        """Samples that a PSD is estimated from: those of the burn-in."""
        return self.burn_in * self.stride

    @property
    def window_size(self) -> int:
        """Samples that an output's kernel and its whitening need."""
        return self.state_size - self.psd_size + self.stride

    @property
    def full_size(self) -> int:
        """Samples that a request's outputs depend on."""
        return self.state_size + self.update_size

    @property
    def num_outputs(self) -> int:
        """Outputs of the segment after the burn-in."""
        return self.num_samples // self.stride - self.burn_in

    @property
    def lead(self) -> int:
        """Outputs' worth of zeros before the segment."""
        return -self.burn_in % self.batch_size

    @property
    def skipped(self) -> int:
        """Outputs of the sequence that are dropped at its start."""
        return self.lead + self.burn_in

    @property
    def first_request(self) -> int:
        """The request that brings the first output that counts."""
        return self.skipped // self.batch_size

    @property
    def num_requests(self) -> int:
        """Requests of the sequence."""
        return -(-(self.skipped + self.num_outputs) // self.batch_size)

    def first_sample(self, request: int) -> int:
        """First sample of a request, relative to the segment's start.

        Args:
            request: its index. Samples before 0 and from ``num_samples``
                on are zeros.
        """
        return request * self.update_size - self.lead * self.stride

    def outputs_of(self, request: int) -> slice:
        """Which outputs of a request count.

        Args:
            request: its index.
        """
        first = request * self.batch_size
        start = min(max(self.skipped - first, 0), self.batch_size)
        stop = self.skipped + self.num_outputs - first
        return slice(start, min(stop, self.batch_size))
