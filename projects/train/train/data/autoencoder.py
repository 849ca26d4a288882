"""The data module of the autoencoder."""

from typing import Any

from train.data.base import AframeDataset
from train.data.inputs import Representations


class AutoencoderDataset(AframeDataset):
    """Whitened time series that all carry a coherent signal.

    An autoencoder learns what interferometers have in common; noise, and
    signals made incoherent, have nothing to teach it. All labels are 1.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args, waveform_prob=1.0, swap_frac=0.0, mute_frac=0.0, **kwargs
        )

    def representations(self) -> Representations:
        """The whitened kernel."""
        return {"whitened": ("whitened", {})}
