"""Lightning modules of the supervised networks."""

from collections.abc import Sequence
from typing import Any

from architectures.supervised import SupervisedS4Model
from torch import Tensor, nn

from train.metrics import TimeSlideAUROC
from train.model.base import AframeModule


class SupervisedAframe(AframeModule):
    """A network trained to tell kernels with a signal from those without."""

    def loss(self, inputs: Sequence[Tensor], y: Tensor) -> Tensor:
        """Binary cross-entropy of logits and labels."""
        logits = self(*inputs)
        return nn.functional.binary_cross_entropy_with_logits(logits, y)


class SupervisedMultiModalAframe(SupervisedAframe):
    """Its network sees time series and spectra."""

    def forward(self, X: Tensor, X_fft: Tensor) -> Tensor:
        """Logits of kernels, of shape ``(batch,)``.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.
            X_fft: spectra of shape ``(batch, 2 ifo, frequency)``.
        """
        return super().forward(X, X_fft)


class SupervisedTimeSpectrogramAframe(SupervisedAframe):
    """Its network sees time series and spectrograms."""

    def forward(self, X: Tensor, X_spec: Tensor) -> Tensor:
        """Logits of kernels, of shape ``(batch,)``.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.
            X_spec: spectrograms of shape ``(batch, ifo, frequency, time)``.
        """
        return super().forward(X, X_spec)


class SupervisedAframeS4(SupervisedAframe):
    """Trains time steps and poles of a state-space network slower.

    They get a rate of their own, which the number of devices does not
    multiply, and no weight decay (arXiv:2111.00396, appendix D).

    Args:
        arch: a state-space network.
        state_space_learning_rate: peak of the schedule for them.
    """

    def __init__(
        self,
        arch: SupervisedS4Model,
        metric: TimeSlideAUROC,
        *args: Any,
        state_space_learning_rate: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        super().__init__(arch, metric, *args, **kwargs)
        self.state_space_learning_rate = state_space_learning_rate

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Those of the state spaces apart from all others."""
        slow = self.arch.state_space_parameters()
        names = {id(parameter) for parameter in slow}
        others = [p for p in self.parameters() if id(p) not in names]
        return [
            {"params": others},
            {
                "params": slow,
                "lr": self.state_space_learning_rate,
                "weight_decay": 0.0,
            },
        ]
