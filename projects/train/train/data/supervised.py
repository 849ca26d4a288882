"""Data modules of the supervised networks, one a representation."""

from collections.abc import Sequence
from typing import Any

from train.data.base import AframeDataset
from train.data.inputs import Representations


class SupervisedAframeDataset(AframeDataset):
    """Whitened time series."""

    def representations(self) -> Representations:
        """The whitened kernel."""
        return {"whitened": ("whitened", {})}


class SupervisedFrequencyDomainDataset(AframeDataset):
    """Spectra of the whitened time series."""

    def representations(self) -> Representations:
        """The kernel's spectrum."""
        return {"frequency": ("spectrum", {})}


class SupervisedMultiModalDataset(AframeDataset):
    """Whitened time series and their spectra."""

    def representations(self) -> Representations:
        """The whitened kernel and its spectrum."""
        return {
            "whitened": ("whitened", {}),
            "frequency": ("spectrum", {}),
        }


class SupervisedTimeSpectrogramDataset(AframeDataset):
    """Whitened time series and their Q-transforms.

    Args:
        spectrogram_shape: bins of frequency and of time.
        q: quality factor of the Q-transform.
    """

    def __init__(
        self,
        *args: Any,
        spectrogram_shape: tuple[int, int] = (64, 128),
        q: float = 12.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.spectrogram_shape = spectrogram_shape
        self.q = q

    def representations(self) -> Representations:
        """The whitened kernel and its Q-transform."""
        arguments = {
            "spectrogram_shape": list(self.spectrogram_shape),
            "q": self.q,
        }
        return {
            "whitened": ("whitened", {}),
            "spectrogram": ("q_transform", arguments),
        }


class SupervisedHeterodynedDataset(AframeDataset):
    """Time series in which chirps of given masses are short, for long signals.

    Networks see each interferometer once for each chirp mass, as channels
    of their own.

    Args:
        chirp_mass: chirp masses in the detector frame, in solar masses.
        heterodyned_rate: sample rate of the result in Hz, by default that
            of the strain.
    """

    def __init__(
        self,
        *args: Any,
        chirp_mass: Sequence[float],
        heterodyned_rate: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.chirp_mass = list(chirp_mass)
        self.heterodyned_rate = heterodyned_rate

    @property
    def num_ifos(self) -> int:
        """Channels of the network, which takes each for an interferometer."""
        return self.config.num_ifos * len(self.chirp_mass)

    def representations(self) -> Representations:
        """The heterodyned kernel."""
        arguments: dict[str, Any] = {"chirp_mass": self.chirp_mass}
        if self.heterodyned_rate is not None:
            arguments["sample_rate"] = self.heterodyned_rate
        return {"heterodyned": ("heterodyned", arguments)}
