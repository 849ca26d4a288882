"""Signals: from polarizations to responses placed in a kernel."""

import torch
from conventions.errors import UserError
from ml4gw.gw import (
    compute_observed_strain,
    get_ifo_geometry,
    reweight_snrs,
)
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
        self, plus: Tensor, cross: Tensor, generator: Generator
    ) -> Tensor:
        """Responses of each interferometer.

        Args:
            plus: plus polarizations of shape ``(signal, time)``.
            cross: cross polarizations of the same shape.
            generator: source of randomness.

        Returns:
            Responses of shape ``(signal, ifo, time)``, delayed relative to
            the geocentre.
        """
        u = torch.rand(
            3, len(plus), generator=generator, device=generator.device
        )
        return compute_observed_strain(
            dec=torch.arcsin(2 * u[0] - 1),
            psi=torch.pi * u[1],
            phi=torch.pi * (2 * u[2] - 1),
            detector_tensors=self.tensors,
            detector_vertices=self.vertices,
            sample_rate=self.sample_rate,
            plus=plus,
            cross=cross,
        )


def rescale(
    responses: Tensor,
    snrs: Tensor,
    psd: Tensor,
    sample_rate: float,
    highpass: float | None,
    lowpass: float | None,
) -> Tensor:
    """Scale responses to given network SNRs (science.md, Injections).

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
    psd = nn.functional.interpolate(
        psd,
        size=responses.size(-1) // 2 + 1,
        mode="linear",
        align_corners=True,
    )
    return reweight_snrs(responses, snrs, psd, sample_rate, highpass, lowpass)


def place(
    responses: Tensor, coalescence: int, positions: Tensor, size: int
) -> Tensor:
    """Cut windows out of responses, with the coalescence where wanted.

    Args:
        responses: of shape ``(signal, ifo, time)``.
        coalescence: sample of the geocentric coalescence in ``responses``.
        positions: sample of the coalescence in each window, integers of
            shape ``(signal,)``.
        size: samples of a window.

    Returns:
        Windows of shape ``(signal, ifo, size)``, zero where the responses
        do not reach.
    """
    duration = responses.size(-1)
    index = torch.arange(size, device=responses.device)
    index = coalescence - positions[:, None] + index
    inside = (index >= 0) & (index < duration)
    index = index.clamp(0, duration - 1)[:, None]
    windows = responses.gather(-1, index.expand(-1, responses.size(1), -1))
    return windows * inside[:, None]
