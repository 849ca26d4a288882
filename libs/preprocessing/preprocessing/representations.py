"""What a network sees: its inputs, made of whitened kernels.

Training writes to the manifest which representation each input is, with its
arguments; export and inference make the same inputs through :class:`Inputs`.
"""

import inspect
import math
from collections.abc import Sequence

import torch
from conventions.errors import UserError
from ml4gw.transforms import Heterodyne
from torch import Tensor

from preprocessing.config import Preprocessing, whole_samples
from preprocessing.manifest import WHITENED, InputSpec
from preprocessing.q_transform import QTransform


class Whitened(torch.nn.Module):
    """The whitened kernel itself, of shape ``(ifo, time)``.

    Args:
        config: the settings of the network.

    Attributes:
        shape: of one sample.
    """

    def __init__(self, config: Preprocessing) -> None:
        super().__init__()
        self.shape = (config.num_ifos, config.kernel_size)

    def forward(self, kernels: Tensor) -> Tensor:
        """Return the kernels.

        Args:
            kernels: of shape ``(batch, ifo, time)``.
        """
        return kernels


class Spectrum(torch.nn.Module):
    """Fourier transform of the kernel in the whitened band.

    Channels are the real parts of all interferometers, then their imaginary
    parts: shape ``(2 * ifo, frequency)``. The frequencies are k /
    kernel_length, from ``highpass`` to below ``lowpass`` (without them from
    0 to below the Nyquist frequency). The discrete Fourier transform is
    scaled by sqrt(2 / kernel_size): each part of white noise of unit
    variance has unit variance.

    Args:
        config: the settings of the network.

    Attributes:
        shape: of one sample.

    Raises:
        UserError: if no frequency lies in the band.
    """

    def __init__(self, config: Preprocessing) -> None:
        super().__init__()
        size = config.kernel_size
        spacing = config.sample_rate / size
        low = config.highpass or 0.0
        high = config.lowpass or config.sample_rate / 2
        self.first = math.ceil(low / spacing - 1e-9)
        self.stop = math.ceil(high / spacing - 1e-9)
        if self.first >= self.stop:
            raise UserError(
                f"the spectrum of a kernel of {config.kernel_length:g} s has "
                f"a value every {spacing:g} Hz: none lies from highpass "
                f"{low:g} Hz to lowpass {high:g} Hz"
            )
        self.scale = math.sqrt(2 / size)
        self.shape = (2 * config.num_ifos, self.stop - self.first)

    def forward(self, kernels: Tensor) -> Tensor:
        """Transform kernels.

        Args:
            kernels: of shape ``(batch, ifo, time)``.

        Returns:
            Real and imaginary parts, of shape ``(batch, 2 * ifo,
            frequency)``.
        """
        spectrum = torch.fft.rfft(kernels)[..., self.first : self.stop]
        return self.scale * torch.cat([spectrum.real, spectrum.imag], dim=1)


class Heterodyned(torch.nn.Module):
    """Kernels in which the chirps of given masses are short pulses.

    Each chirp mass takes the phase of the leading post-Newtonian order,
    3/128 (pi G M f / c^3)^(-5/3), off the kernel's Fourier transform
    (``ml4gw.transforms.Heterodyne``): what is left of an inspiral of that
    mass is a pulse at its coalescence, however long it was. The result is
    resampled by leaving out the frequencies above half the new rate, so
    nothing is aliased, and scaled so that white noise of unit variance
    keeps it.

    Channels are all chirp masses of the first interferometer, then those of
    the next: shape ``(ifo * mass, time)``.

    Args:
        config: the settings of the network.
        chirp_mass: chirp masses in the detector frame, in solar masses.
        sample_rate: of the result, in Hz; by default that of the kernels.

    Attributes:
        shape: of one sample.

    Raises:
        UserError: for a mass that is not positive, a rate above that of
            the kernels, or one at which a kernel is no whole number of
            samples.
    """

    def __init__(
        self,
        config: Preprocessing,
        chirp_mass: Sequence[float],
        sample_rate: float | None = None,
    ) -> None:
        super().__init__()
        masses = torch.tensor(chirp_mass, dtype=torch.float64)
        if masses.dim() != 1 or not len(masses) or not (masses > 0).all():
            raise UserError(
                f"chirp_mass: {chirp_mass} must be a list of positive solar "
                "masses"
            )
        rate = config.sample_rate if sample_rate is None else sample_rate
        if not 0 < rate <= config.sample_rate:
            raise UserError(
                f"sample_rate: {rate:g} Hz must be positive and at most that "
                f"of the kernels, {config.sample_rate:g} Hz"
            )
        size = config.kernel_size
        self.size = whole_samples("kernel_length", config.kernel_length, rate)
        self.heterodyne = Heterodyne(
            config.sample_rate,
            # It truncates to samples: half a one more can lose none.
            (size + 0.5) / config.sample_rate,
            masses,
            return_type="freq",
        )
        # Computed in double precision, as phases reach 1e5; applied in
        # single.
        phase = self.heterodyne.heterodyning_phase.to(torch.complex64)
        self.heterodyne.heterodyning_phase = phase
        self.scale = math.sqrt(size / self.size)
        self.shape = (config.num_ifos * len(masses), self.size)

    def forward(self, kernels: Tensor) -> Tensor:
        """Transform kernels.

        Args:
            kernels: of shape ``(batch, ifo, time)``.

        Returns:
            Heterodyned kernels of shape ``(batch, ifo * mass, time)``.
        """
        spectrum = self.heterodyne(kernels)[..., : self.size // 2 + 1]
        series = torch.fft.irfft(spectrum, n=self.size, norm="forward")
        return self.scale * series.flatten(1, 2)


REPRESENTATIONS: dict[str, type[torch.nn.Module]] = {
    WHITENED: Whitened,
    "spectrum": Spectrum,
    "heterodyned": Heterodyned,
    "q_transform": QTransform,
}


class Inputs(torch.nn.Module):
    """All inputs of a network, of whitened kernels.

    Args:
        config: the settings of the network.
        specs: its inputs, as the manifest has them.

    Raises:
        UserError: naming an input whose representation or arguments are
            unknown or out of range, or do not have its shape.
    """

    def __init__(
        self, config: Preprocessing, specs: Sequence[InputSpec]
    ) -> None:
        super().__init__()
        self.representations = torch.nn.ModuleList(
            _build(config, spec) for spec in specs
        )

    def forward(self, kernels: Tensor) -> tuple[Tensor, ...]:
        """Make the inputs.

        Args:
            kernels: whitened, of shape ``(batch, ifo, time)``.

        Returns:
            The inputs, each of shape ``(batch, ...)``, in the manifest's
            order, which is that of the network's arguments.
        """
        return tuple(make(kernels) for make in self.representations)


def _build(config: Preprocessing, spec: InputSpec) -> torch.nn.Module:
    name = f"input {spec.name} of the network"
    kind = REPRESENTATIONS.get(spec.representation)
    if kind is None:
        raise UserError(
            f"{name}: representation {spec.representation!r} is not one of "
            f"{', '.join(REPRESENTATIONS)}"
        )
    try:
        inspect.signature(kind).bind(config, **spec.arguments)
    except TypeError as error:
        raise UserError(
            f"{name}: arguments of representation {spec.representation}: "
            f"{error}"
        ) from None
    try:
        module = kind(config, **spec.arguments)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    if module.shape != spec.shape:
        raise UserError(
            f"{name} has shape {spec.shape}: representation "
            f"{spec.representation} has {module.shape}"
        )
    return module
