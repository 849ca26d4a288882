"""Distribution of the SNRs that training signals are scaled to."""

import torch
from conventions.errors import UserError
from torch import Generator, Tensor


class SnrSampler:
    """Power law in network SNR whose minimum can be lowered over time.

    Starting from loud signals only and lowering the minimum lets a network
    learn what a signal is before it learns to dig (arXiv:2403.18661,
    section III).

    Args:
        max_snr: largest SNR.
        min_min_snr: smallest SNR once the schedule has ended.
        max_min_snr: smallest SNR at the first step; by default
            ``min_min_snr``, that is, no schedule.
        alpha: index of the power law, p(snr) proportional to snr^alpha.
        decay_steps: optimiser steps over which the minimum goes from
            ``max_min_snr`` to ``min_min_snr``, along a cosine.

    Raises:
        UserError: if the SNRs are not ordered or ``decay_steps`` is
            negative.
    """

    def __init__(
        self,
        max_snr: float = 100.0,
        min_min_snr: float = 4.0,
        max_min_snr: float | None = None,
        alpha: float = -3.0,
        decay_steps: int = 0,
    ) -> None:
        if max_min_snr is None:
            max_min_snr = min_min_snr
        if not 0 < min_min_snr <= max_min_snr < max_snr:
            raise UserError(
                f"snr_sampler: min_min_snr {min_min_snr}, max_min_snr "
                f"{max_min_snr} and max_snr {max_snr} must be positive and "
                "in this order"
            )
        if decay_steps < 0:
            raise UserError(
                f"snr_sampler: decay_steps {decay_steps} must not be negative"
            )
        self.max_snr = max_snr
        self.min_min_snr = min_min_snr
        self.max_min_snr = max_min_snr
        self.alpha = alpha
        self.decay_steps = decay_steps

    def minimum(self, step: int) -> float:
        """Smallest SNR at an optimiser step."""
        if step >= self.decay_steps:
            return self.min_min_snr
        phase = torch.tensor(torch.pi * step / self.decay_steps)
        share = float(1 + phase.cos()) / 2
        return self.min_min_snr + share * (self.max_min_snr - self.min_min_snr)

    def sample(
        self, count: int, step: int, generator: Generator | None = None
    ) -> Tensor:
        """Draw SNRs by inverting the cumulative distribution.

        Args:
            count: how many.
            step: optimiser step, which sets the minimum.
            generator: source of randomness; its device is the result's.

        Returns:
            SNRs of shape ``(count,)``.
        """
        device = generator.device if generator is not None else None
        u = torch.rand(count, generator=generator, device=device)
        low, high = self.minimum(step), self.max_snr
        power = self.alpha + 1
        if power == 0:
            return low * (high / low) ** u
        edges = low**power, high**power
        return (edges[0] + u * (edges[1] - edges[0])) ** (1 / power)
