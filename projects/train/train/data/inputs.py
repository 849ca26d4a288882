"""From whitened kernels to what a network sees."""

from collections.abc import Mapping
from typing import Any

from preprocessing.config import Preprocessing
from preprocessing.manifest import InputSpec
from preprocessing.representations import REPRESENTATIONS, Inputs
from torch import Tensor

Representations = Mapping[str, tuple[str, dict[str, Any]]]
"""Representation (``preprocessing.representations``) and its arguments by the
name of the input."""


class NetworkInputs(Inputs):
    """Inputs of a network and their list for the manifest.

    Args:
        config: the settings of the network.
        representations: of its inputs, in the order of its arguments.

    Attributes:
        specs: the inputs, as the manifest lists them.

    Raises:
        UserError: if an argument of a representation is out of range.
    """

    def __init__(
        self, config: Preprocessing, representations: Representations
    ) -> None:
        specs = tuple(
            InputSpec(
                name,
                REPRESENTATIONS[kind](config, **arguments).shape,
                kind,
                arguments,
            )
            for name, (kind, arguments) in representations.items()
        )
        super().__init__(config, specs)
        self.specs = specs

    def of_grid(self, kernels: Tensor) -> tuple[Tensor, ...]:
        """Inputs of kernels in rows and columns.

        Args:
            kernels: of shape ``(row, column, ifo, time)``; there may be no
                rows.

        Returns:
            Inputs, each of shape ``(row, column, ...)``.
        """
        shape = kernels.shape[:2]
        if not len(kernels):
            return tuple(
                kernels.new_zeros(*shape, *spec.shape) for spec in self.specs
            )
        inputs = self(kernels.flatten(0, 1))
        return tuple(X.unflatten(0, shape) for X in inputs)
