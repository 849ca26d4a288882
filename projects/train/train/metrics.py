"""The score by which trainings are compared."""

import torch
from conventions.errors import UserError
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_auroc
from torchmetrics.utilities import dim_zero_cat


class TimeSlideAUROC(Metric):
    """Area under the ROC curve at low false-positive rates.

    Imitates a search: the background is pooled as clustering would, each
    signal counts with its mean score over several positions.

    Args:
        max_fpr: false-positive rate up to which the area is taken; it is
            standardised such that 0.5 is no skill and 1 is perfect
            (McClish 1989).

    Raises:
        UserError: if ``max_fpr`` is not in (0, 1].
    """

    full_state_update = False
    higher_is_better = True

    def __init__(self, max_fpr: float = 1e-3) -> None:
        super().__init__()
        if not 0 < max_fpr <= 1:
            raise UserError(f"max_fpr: {max_fpr} must lie in (0, 1]")
        self.max_fpr = max_fpr
        self.add_state("background", default=[], dist_reduce_fx="cat")
        self.add_state("foreground", default=[], dist_reduce_fx="cat")

    def update(self, background: Tensor, foreground: Tensor) -> None:
        """Add scores.

        Args:
            background: of shape ``(pool, window)``; the largest of each
                row counts.
            foreground: of shape ``(signal, view)``; the mean of each row
                counts.
        """
        # one type on all devices, whatever the precision of their scores
        self.background.append(background.float().amax(1))
        self.foreground.append(foreground.float().mean(1))

    def compute(self) -> Tensor:
        """The score, a scalar.

        Raises:
            UserError: if a score is not finite.
        """
        background = dim_zero_cat(self.background)
        scores = torch.cat([background, dim_zero_cat(self.foreground)])
        invalid = int((~torch.isfinite(scores)).sum())
        if invalid:
            raise UserError(
                f"{invalid} of {len(scores)} validation scores are not "
                "finite: the training has diverged; lower the learning rate "
                "or look for constant strain in the data"
            )
        labels = torch.ones(len(scores), dtype=torch.long, device=self.device)
        labels[: len(background)] = 0
        # ranks: a sigmoid would make ties of the loudest scores
        _, ranks = scores.unique(return_inverse=True)
        ranks = ranks.double() / ranks.max().clamp(min=1)
        max_fpr = None if self.max_fpr == 1 else self.max_fpr
        return binary_auroc(ranks, labels, max_fpr=max_fpr)
