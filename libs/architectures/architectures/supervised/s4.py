"""Diagonal state-space model of the whitened time series."""

from itertools import chain

import torch
from ml4gw.nn.ssm import S4DKernel
from torch import Tensor, nn

from architectures import arguments

#: Samples in a row of the factorised Vandermonde matrix.
ROW = 64


class StateSpaceKernel(S4DKernel):
    """Impulse response of diagonal state-space models, one per channel.

    x' = A x + B u, y = 2 Re(C x) with A diagonal and B = 1, discretised by
    zero-order hold with a time step dt (arXiv:2206.11893, section 3):
    sample l of the response is 2 Re(sum_n C_n (z_n - 1)/A_n z_n^l) with
    z_n = exp(dt A_n). Parameters and their initialisation (S4D-Lin) are
    those of ``ml4gw.nn.ssm.S4DKernel``; the evaluation is not: the powers
    of z are the product of a coarse and a fine geometric series, so that
    the Vandermonde matrix of (channel, state, sample) is never stored, and
    they are taken in double precision, because the phase of the fastest
    state after thousands of samples is thousands of radians.

    Args:
        d_model: channels.
        N: states per channel, in conjugate pairs of which one is kept.
        dt_min: lower end of the log-uniform draw of dt.
        dt_max: its upper end.
    """

    def discretised(self) -> tuple[Tensor, Tensor]:
        """Exponents and weights of the discrete modes.

        Returns:
            ``dt A`` and ``C (z - 1) / A``, both complex, in double
            precision, of shape ``(channel, state / 2)``.
        """
        poles = torch.complex(
            -self.log_A_real.double().exp(), self.A_imag.double()
        )
        exponents = poles * self.log_dt.double().exp()[:, None]
        weights = torch.view_as_complex(self.C.double())
        return exponents, weights * (exponents.exp() - 1) / poles

    def forward(self, L: int) -> Tensor:
        """Impulse response.

        Args:
            L: its length in samples.

        Returns:
            Response of shape ``(channel, L)``, in single precision.
        """
        exponents, weights = self.discretised()
        device = exponents.device
        fine = torch.arange(ROW, device=device)
        coarse = ROW * torch.arange(L // ROW + 1, device=device)
        within = torch.exp(exponents[..., None] * fine)
        starts = weights[..., None] * torch.exp(exponents[..., None] * coarse)
        # Re(sum_n starts_n within_n) as one real product
        left = torch.cat([starts.real, -starts.imag], dim=1)
        right = torch.cat([within.real, within.imag], dim=1)
        response = 2 * left.transpose(1, 2) @ right
        return response.flatten(1)[:, :L].float()


def causal_convolution(X: Tensor, response: Tensor) -> Tensor:
    """Convolve each channel with its response, by FFT in single precision.

    Args:
        X: series of shape ``(batch, channel, time)``.
        response: of shape ``(channel, time)``.

    Returns:
        Series of the shape and type of ``X``; sample l is the sum over
        k <= l of ``response[l - k] X[k]``.
    """
    size = X.size(-1)
    # twice the length, so that the end does not wrap around to the start
    spectrum = torch.fft.rfft(X.float(), n=2 * size)
    spectrum = spectrum * torch.fft.rfft(response, n=2 * size)
    return torch.fft.irfft(spectrum, n=2 * size)[..., :size].to(X.dtype)


class StateSpaceLayer(nn.Module):
    """State-space models, one per channel, and a mixing of the channels.

    The S4D layer of arXiv:2206.11893: convolution with the response and a
    direct path, GELU, and a gated linear unit across channels.

    Args:
        d_model: channels.
        d_state: states per channel, even.
        dropout: probability with which a channel is dropped.
        dt_min: smallest time step at the start, in samples.
        dt_max: largest time step at the start, in samples.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int,
        dropout: float,
        dt_min: float,
        dt_max: float,
    ) -> None:
        super().__init__()
        self.kernel = StateSpaceKernel(d_model, d_state, dt_min, dt_max)
        self.direct = nn.Parameter(torch.randn(d_model, 1))
        self.mix = nn.Sequential(
            nn.GELU(),
            nn.Dropout1d(dropout),
            nn.Conv1d(d_model, 2 * d_model, 1),
            nn.GLU(dim=1),
        )

    def forward(self, X: Tensor) -> Tensor:
        """Map series of shape ``(batch, channel, time)`` to such series.

        Sample ``t`` depends on the input's samples up to ``t``.
        """
        response = self.kernel(X.size(-1))
        return self.mix(causal_convolution(X, response) + self.direct * X)


class SupervisedS4Model(nn.Module):
    """Diagonal state-space network on the whitened time series.

    Residual layers of S4D (arXiv:2206.11893), normalised over the channels
    before each, averaged over time.

    Args:
        num_ifos: number of interferometers, the input's channels.
        d_model: channels of every layer.
        d_state: states of each channel's model, even.
        n_layers: number of layers.
        dropout: probability with which a channel is dropped.
        dt_min: smallest time step at the start; a model forgets after about
            2 / dt samples.
        dt_max: largest time step at the start.

    Raises:
        UserError: if an argument has no meaning.
    """

    def __init__(
        self,
        num_ifos: int,
        d_model: int = 128,
        d_state: int = 64,
        n_layers: int = 4,
        dropout: float = 0.1,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
    ) -> None:
        arguments.positive(
            num_ifos=num_ifos, d_model=d_model, n_layers=n_layers
        )
        arguments.even(d_state=d_state)
        arguments.fraction(dropout=dropout)
        arguments.ordered(dt_min=dt_min, dt_max=dt_max)
        super().__init__()
        self.encoder = nn.Conv1d(num_ifos, d_model, 1)
        self.norms = nn.ModuleList(
            nn.LayerNorm(d_model) for _ in range(n_layers)
        )
        self.layers = nn.ModuleList(
            StateSpaceLayer(d_model, d_state, dropout, dt_min, dt_max)
            for _ in range(n_layers)
        )
        self.head = nn.Linear(d_model, 1)

    def state_space_parameters(self) -> list[nn.Parameter]:
        """Time steps and poles of all layers.

        They are to be trained at a rate of at most 1e-3 and without weight
        decay, as the authors of S4 do (arXiv:2111.00396).
        """
        kernels = [layer.kernel for layer in self.layers]
        return list(
            chain.from_iterable(
                (k.log_dt, k.log_A_real, k.A_imag) for k in kernels
            )
        )

    def forward(self, X: Tensor) -> Tensor:
        """Detection statistic of each kernel.

        Args:
            X: whitened strain of shape ``(batch, ifo, time)``.

        Returns:
            Logits of shape ``(batch,)``.
        """
        X = self.encoder(X)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            normalised = norm(X.transpose(1, 2)).transpose(1, 2)
            X = X + layer(normalised)
        return self.head(X.mean(-1)).flatten()
