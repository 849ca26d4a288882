"""Matched filters that are learned."""

import math

import torch
from torch import Tensor, nn

from architectures import arguments

SOLAR_MASS = 4.925491e-6
"""Of mass, in seconds: G / c^3."""
START_SCALE = 0.65
"""Norm of the filters at the start: the square of an output is to be about
half the square of the signal-to-noise ratio, the logarithm of a likelihood
ratio."""
START_BIAS = -1.4
"""Such that noise alone is no signal."""
BIAS_SCALE = 10.0
"""Of the biases, which are sums of squares, to the filters' weights."""
BAND = (50.0, 0.4)
"""The chirps are strong from these Hz up to this fraction of the rate."""


class SupervisedTimeDomainFilterBank(nn.Module):
    """Long learned filters, their power, coincident in all interferometers.

    In Gaussian noise the optimal search filters each interferometer with
    templates and averages likelihood ratios over templates and time; that
    search is itself a shallow network (arXiv:2104.03961). This one has its
    form:

    - pairs of filters, the same for all interferometers, are two phases of
      a template, so that the sum of their squared outputs, the power, does
      not depend on the signal's phase;
    - the power of each interferometer is the largest within ``max_delay``
      outputs of a time in the first one, and summed over interferometers;
    - the logit is the logarithm of the sum, over filters and times, of the
      power's exponential, with a bias for each filter.

    The filters start as Newtonian chirps (:func:`newtonian_chirps`), which
    know neither merger nor detectors; that and all else is learned. The
    network is invariant under shifts of time as long as a filter's place in
    a kernel of ``size`` samples is one of ``(size - filter_size) / stride``.

    Args:
        num_ifos: number of interferometers, the input's channels.
        sample_rate: of the input in Hz; of consequence to the start alone.
        num_filters: pairs of filters.
        min_chirp_mass: of the first chirp, in solar masses.
        max_chirp_mass: of the last chirp, in solar masses.
        filter_size: taps of a filter.
        stride: samples between the filters' outputs.
        max_delay: largest difference of arrival times, in outputs.

    Raises:
        UserError: if an argument has no meaning.
    """

    def __init__(
        self,
        num_ifos: int,
        sample_rate: float = 512.0,
        num_filters: int = 48,
        min_chirp_mass: float = 8.7,
        max_chirp_mass: float = 45.0,
        filter_size: int = 512,
        stride: int = 2,
        max_delay: int = 3,
    ) -> None:
        arguments.positive(
            num_ifos=num_ifos,
            num_filters=num_filters,
            filter_size=filter_size,
            stride=stride,
        )
        arguments.at_least(0, max_delay=max_delay)
        arguments.ordered(sample_rate=sample_rate)
        arguments.ordered(
            min_chirp_mass=min_chirp_mass, max_chirp_mass=max_chirp_mass
        )
        super().__init__()
        self.num_filters = num_filters
        self.filters = nn.Conv1d(
            1, 2 * num_filters, filter_size, stride, bias=False
        )
        ends = math.log(min_chirp_mass), math.log(max_chirp_mass)
        masses = torch.linspace(*ends, num_filters).exp()
        chirps = newtonian_chirps(masses, filter_size, sample_rate)
        noise = torch.randn_like(chirps) * filter_size**-0.5
        with torch.no_grad():
            weight = START_SCALE * (chirps + 0.01 * noise)
            self.filters.weight.copy_(weight.view_as(self.filters.weight))
        self.bias = nn.Parameter(torch.full((num_filters, 1), START_BIAS))
        self.nearest = nn.MaxPool1d(2 * max_delay + 1, 1, max_delay)

    def forward(self, X: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``, at least as
                long as a filter.

        Returns:
            Logits of shape ``(batch,)``.
        """
        outputs = self.filters(X.flatten(0, 1)[:, None])
        power = outputs.unflatten(1, (self.num_filters, 2)).square().sum(2)
        power = power.unflatten(0, X.shape[:2])
        total = power[:, 0] + BIAS_SCALE * self.bias
        for ifo in range(1, X.shape[1]):
            total = total + self.nearest(power[:, ifo])
        return total.flatten(1).logsumexp(1)


def newtonian_chirps(
    chirp_masses: Tensor, size: int, sample_rate: float
) -> Tensor:
    """Inspirals at leading order, in two phases, of unit norm.

    With tau the time to the coalescence and m the chirp mass in seconds the
    frequency is (5 m / tau)^(3/8) / (8 pi m), the phase -2 (tau / 5 m)^(5/8)
    and the amplitude tau^(-1/4) (Maggiore, Gravitational Waves, vol. 1,
    section 4.1). Low frequencies, where detectors are noisy, are weakened.
    The coalescence lies 1/17 before the end, where a ringdown has space.

    Args:
        chirp_masses: in solar masses, of shape ``(chirp,)``.
        size: samples of a chirp.
        sample_rate: in Hz.

    Returns:
        Chirps of shape ``(chirp, 2, size)``.
    """
    tau = (torch.arange(size, 0, -1) - size / 17) / sample_rate
    before = tau > 0
    tau = tau.clamp(min=0.5 / sample_rate)
    m = SOLAR_MASS * chirp_masses[:, None]
    frequency = (5 * m / tau) ** 0.375 / (8 * math.pi * m)
    phase = -2 * (tau / (5 * m)) ** 0.625
    low, high = BAND[0], BAND[1] * sample_rate
    amplitude = tau**-0.25 / torch.sqrt(1 + (low / frequency) ** 4)
    amplitude = amplitude * (before & (frequency < high))
    chirps = torch.stack([phase.cos(), phase.sin()], dim=1)
    chirps = chirps * amplitude[:, None]
    return chirps / chirps.norm(dim=-1, keepdim=True).clamp(min=1e-6)
