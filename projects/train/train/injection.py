"""Signals: from polarizations to responses placed in a kernel."""

import math

import torch
from conventions.errors import UserError
from ml4gw.constants import C
from ml4gw.gw import compute_antenna_responses, get_ifo_geometry
from torch import Generator, Tensor, nn

KNOWN_IFOS = ("H1", "L1", "V1", "K1")


class Projector(nn.Module):
    """Project polarizations onto interferometers from random directions.

    Sources are isotropic on the sky and in polarization angle.

    Args:
        ifos: interferometers in channel order.
        sample_rate: of the polarizations, in Hz.

    Raises:
        UserError: if the geometry of an interferometer is not known.
    """

    def __init__(self, ifos: tuple[str, ...], sample_rate: float) -> None:
        super().__init__()
        unknown = [ifo for ifo in ifos if ifo not in KNOWN_IFOS]
        if unknown:
            raise UserError(
                f"ifos: {', '.join(unknown)} unknown, choose from "
                f"{', '.join(KNOWN_IFOS)}"
            )
        self.sample_rate = sample_rate
        tensors, vertices = get_ifo_geometry(*ifos)
        self.register_buffer("tensors", tensors)
        self.register_buffer("vertices", vertices)

    def forward(
        self, polarizations: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Responses of each interferometer, and when each arrives.

        The same numbers as ``ml4gw.gw.compute_observed_strain``, but for
        the delays, which cost nothing once a signal is cut out.

        Args:
            polarizations: of shape ``(signal, 2, time)``, plus and cross.
            generator: source of randomness.

        Returns:
            Responses of shape ``(signal, ifo, time)``, all at the time of
            the geocentre, and delays relative to it, in whole samples,
            of shape ``(signal, ifo)``.
        """
        count, device = len(polarizations), generator.device
        u = torch.rand(3, count, generator=generator, device=device)
        theta = torch.pi / 2 - torch.arcsin(2 * u[0] - 1)
        psi = torch.pi * u[1]
        phi = torch.pi * (2 * u[2] - 1)
        antenna = compute_antenna_responses(
            theta, psi, phi, self.tensors, ["plus", "cross"]
        )
        responses = antenna.to(polarizations).mT @ polarizations
        towards = torch.stack(
            [theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], 1
        )
        late = -towards @ self.vertices.to(towards).T
        return responses, (late * (self.sample_rate / C)).long()


def rescale(
    responses: Tensor,
    snrs: Tensor,
    psd: Tensor,
    sample_rate: float,
    highpass: float | None,
    lowpass: float | None,
) -> Tensor:
    """Scale responses to given network SNRs (science.md, Injections).

    All is done in single precision, relative to each channel's mean PSD: as
    they are, the numbers would be too small for it.

    Args:
        responses: of shape ``(signal, ifo, time)``.
        snrs: wanted network SNRs of shape ``(signal,)``.
        psd: one-sided, in 1/Hz, of shape ``(signal, ifo, frequency)``.
        sample_rate: in Hz.
        highpass: lower edge of the SNR integral in Hz, None for 0.
        lowpass: upper edge in Hz, None for the Nyquist frequency.

    Returns:
        Responses of the same shape.
    """
    size = responses.size(-1)
    mean = psd.mean(-1, keepdim=True)
    relative = nn.functional.interpolate(
        (psd / mean).float(),
        size=size // 2 + 1,
        mode="linear",
        align_corners=True,
    )
    spectra = torch.fft.rfft(responses * mean.rsqrt().float())
    parts = torch.view_as_real(spectra).square_()
    first, stop = (
        None if edge is None else math.ceil(edge * size / sample_rate)
        for edge in (highpass, lowpass)
    )
    power = ((parts[..., 0] + parts[..., 1]) / relative)[..., first:stop]
    # the sum over samples is a spectrum once it is divided by the rate
    squares = 4 / (size * sample_rate) * power.sum((1, 2))
    return responses * (snrs * squares.rsqrt())[:, None, None]


def place(
    responses: Tensor, coalescence: int, positions: Tensor, size: int
) -> Tensor:
    """Cut windows out of responses, with the coalescence where wanted.

    Args:
        responses: of shape ``(signal, ifo, time)``.
        coalescence: sample of the coalescence in ``responses``.
        positions: sample of the coalescence in each window, integers of
            shape ``(signal,)``, or ``(signal, ifo)`` where it differs.
        size: samples of a window.

    Returns:
        Windows of shape ``(signal, ifo, size)``, zero where the responses
        do not reach.
    """
    duration = responses.size(-1)
    if positions.dim() == 1:
        positions = positions[:, None].expand(responses.shape[:2])
    index = torch.arange(size, device=responses.device)
    index = coalescence - positions[..., None] + index
    inside = (index >= 0) & (index < duration)
    windows = responses.gather(-1, index.clamp(0, duration - 1))
    return windows * inside
