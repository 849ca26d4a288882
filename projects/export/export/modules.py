"""The models around the network, as TorchScript."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from preprocessing.batch import BatchWhitener
from preprocessing.manifest import Manifest
from preprocessing.representations import Inputs
from preprocessing.snapshotter import Snapshotter
from torch import Tensor


class SequenceSnapshotter(torch.nn.Module):
    """Snapshotter whose state the server keeps (Triton's implicit state).

    Args:
        snapshotter: what appends a request to the state.
    """

    def __init__(self, snapshotter: Snapshotter) -> None:
        super().__init__()
        self.snapshotter = snapshotter
        self.state_size = snapshotter.state_size

    def forward(
        self, update: Tensor, state: Tensor, start: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Append a request's data to the state.

        Args:
            update: strain of shape ``(stream, ifo, update_size)``.
            state: what the sequence's previous request left; of any value
                and number of streams in its first request.
            start: one number, not 0 in the first request of a sequence.

        Returns:
            All strain that the request needs, and the new state.
        """
        if bool(start.any()):
            shape = [update.size(0), update.size(1), self.state_size]
            state = torch.zeros(
                shape, dtype=update.dtype, device=update.device
            )
        elif state.size(0) != update.size(0):
            raise ValueError("a sequence changed its number of streams")
        full, state = self.snapshotter(update, state)
        return full, state


@contextmanager
def _double_precision_sizes() -> Iterator[None]:
    """Let a trace compute with sizes as Python does.

    While tracing, sizes are tensors, and what is computed from them, such
    as the frequency bin of the highpass, has torch's default precision:
    in single precision a bin can come out one off.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def trace(
    module: torch.nn.Module, inputs: Sequence[Tensor], sizes: Sequence[int]
) -> torch.jit.ScriptModule:
    """Trace a module and test the trace with batches of other sizes.

    Args:
        module: in evaluation mode, on the CPU.
        inputs: examples to trace with, of shape ``(batch, ...)``.
        sizes: batches to test with, at most as large as the examples.

    Raises:
        AssertionError: if the trace gives other numbers than the module.
    """
    inputs = tuple(inputs)
    with torch.no_grad(), warnings.catch_warnings():
        # Lengths are constants of a repository, by design; and newer
        # formats than TorchScript are not what servers take.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        with _double_precision_sizes():
            traced = torch.jit.trace(module, inputs, check_trace=False)
        for size in sizes:
            some = [X[:size] for X in inputs]
            torch.testing.assert_close(traced(*some), module(*some))
    return traced


def make_preprocessor(
    manifest: Manifest, full_size: int
) -> torch.jit.ScriptModule:
    """The model that makes the network's inputs of a request's strain.

    Args:
        manifest: of the model repository.
        full_size: samples of the stretch that holds all kernels of a
            request and the data of their PSD.

    Returns:
        A module that takes strain of shape ``(stream, ifo, full_size)`` and
        returns a tuple of inputs of shape ``(stream * batch_size, ...)``.
    """
    settings = manifest.preprocessing
    whitener = BatchWhitener(
        settings,
        manifest.psd_length,
        manifest.inference_sampling_rate,
        manifest.batch_size,
    )
    inputs = Inputs(settings, manifest.inputs)
    generator = torch.Generator().manual_seed(0)
    shape = (2, settings.num_ifos, full_size)
    X = torch.randn(shape, generator=generator)
    return trace(torch.nn.Sequential(whitener, inputs).eval(), [X], (1, 2))


def make_snapshotter(
    snapshotter: Snapshotter, platform: str
) -> torch.jit.ScriptModule:
    """The stateful model, as its platform runs it.

    Args:
        snapshotter: what appends a request to the state.
        platform: of the repository: the server keeps the state, unless the
            Python backend does.
    """
    module: torch.nn.Module = snapshotter
    if platform != "python":
        module = SequenceSnapshotter(snapshotter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(module.eval())
