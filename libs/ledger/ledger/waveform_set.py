"""Binaries with the responses of interferometers to them."""

from dataclasses import dataclass, make_dataclass
from typing import TypeVar

import numpy as np
from conventions.errors import UserError

from ledger.injection_metadata import InjectionMetadata
from ledger.ledger import Ledger, metadata, parameter, waveform
from ledger.parameters import BilbyParameterSet

C = TypeVar("C", bound=Ledger)


@dataclass(eq=False)
class InjectionParameterSet(BilbyParameterSet):
    """Binaries with their signal-to-noise ratios.

    Attributes:
        snr: optimal SNR of the network, shape (row,).
        ifo_snrs: optimal SNR per ifo, shape (row, ifo).
        ifos: names of the ifos, in channel order.

    Raises:
        UserError: at construction, if ``ifos`` is no list of names.
    """

    snr: np.ndarray = parameter()
    ifo_snrs: np.ndarray = parameter()
    ifos: list[str] = metadata(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.ifos, list) or not all(
            isinstance(ifo, str) for ifo in self.ifos
        ):
            raise UserError(
                f"{type(self).__name__}: ifos is {self.ifos!r}, not a list "
                "of names"
            )


@dataclass(eq=False)
class WaveformSet(InjectionMetadata, InjectionParameterSet):
    """Binaries with the response of each ifo.

    :func:`waveform_class_factory` makes subclasses that have the ifos'
    waveforms; without them only parameters are read.

    Raises:
        UserError: at construction, if ``ifos`` and the waveforms differ.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [ifo.lower() for ifo in self.ifos]
        if names and self.waveform_fields not in ([], names):
            raise UserError(
                f"{type(self).__name__} has the waveforms "
                f"{self.waveform_fields}, but ifos is {self.ifos}"
            )

    @property
    def waveforms(self) -> np.ndarray:
        """The waveforms of all ifos, stacked: (row, ifo, time)."""
        self._need_waveforms()
        columns = [getattr(self, name) for name in self.waveform_fields]
        return np.stack(columns, axis=1)

    def _need_waveforms(self) -> None:
        if not self.waveform_fields:
            raise UserError(
                f"{type(self).__name__} has no waveforms; read them with a "
                "class of waveform_class_factory(ifos, ...)"
            )


def waveform_class_factory(
    ifos: list[str], base_cls: type[C], cls_name: str
) -> type[C]:
    """Make a ledger class that has one waveform column per ifo.

    Args:
        ifos: names of the ifos, in channel order; the columns have the
            lower-case names.
        base_cls: class to extend, such as :class:`WaveformSet`.
        cls_name: name of the new class.

    Raises:
        UserError: if an ifo is named twice.
    """
    names = [ifo.lower() for ifo in ifos]
    if len(set(names)) < len(names):
        raise UserError(f"ifos {ifos} name an interferometer twice")
    return make_dataclass(
        cls_name,
        [(name, np.ndarray, waveform()) for name in names],
        bases=(base_cls,),
        eq=False,
    )
