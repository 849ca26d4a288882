"""What makes the network itself faster, and what does that do to it?

    python benchmarks/network.py [--network demo] [--device cpu] [--repeats 5]

Evaluates the same kernels with the network as training traces it and with
changes that should not change its meaning, and prints outputs a second, the
ratio to the trace, and the largest difference of an output relative to the
spread of all outputs. On a CPU each thread has a batch of its own, which is
how the engines run the network, and on a GPU convolutions of single precision
are, as theirs, without TF32; each number is the best of the repeats, in which
the variants take turns.
"""

import argparse
import copy
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnxruntime
import torch
from architectures.norm import GroupNorm
from ml4gw.nn.norm import GroupNorm1D
from networks import CASES, IFOS
from table import head, row
from torch import Tensor, nn

CORES = len(os.sched_getaffinity(0))
Function = Callable[[Tensor], Tensor]


def replaced(
    module: nn.Module, kind: type, make: Callable[[nn.Module], nn.Module]
) -> nn.Module:
    """A copy of a network with other modules in place of some."""
    module = copy.deepcopy(module)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, kind):
                setattr(parent, name, make(child))
    return module


def separate_norm(norm: GroupNorm) -> GroupNorm1D:
    """ml4gw's group normalisation, of several operations, for ours of one."""
    separate = GroupNorm1D(norm.num_channels, norm.num_groups, norm.eps)
    separate.load_state_dict(norm.state_dict())
    return separate


class _Flat(nn.Module):
    """A convolution over time as one over a picture of a single row."""

    def __init__(self, conv: nn.Conv1d) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            (1, *conv.kernel_size),
            (1, *conv.stride),
            (0, *conv.padding),
            (1, *conv.dilation),
            conv.groups,
            conv.bias is not None,
        )
        state = {"weight": conv.weight.detach()[:, :, None]}
        if conv.bias is not None:
            state["bias"] = conv.bias.detach()
        self.conv.load_state_dict(state)
        self.conv.to(memory_format=torch.channels_last)

    def forward(self, X: Tensor) -> Tensor:
        X = X[:, :, None].to(memory_format=torch.channels_last)
        return self.conv(X)[:, :, 0]


def trace(network: nn.Module, X: Tensor) -> torch.jit.ScriptModule:
    """As training does."""
    return torch.jit.trace(network, X[:2])


def through_onnxruntime(network: nn.Module, X: Tensor) -> Function:
    """The network in ONNX Runtime, on the CPU."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            trace(network, X),
            (X[:2],),
            path,
            dynamo=False,
            input_names=["X"],
            dynamic_axes={"X": {0: "batch"}},
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
    return lambda batch: torch.from_numpy(
        session.run(None, {"X": batch.numpy()})[0]
    )


def variants(network: nn.Module, X: Tensor) -> dict[str, Function]:
    """Ways to evaluate a network on kernels like ``X``, by name."""
    traced = trace(network, X)
    half = trace(copy.deepcopy(network).bfloat16(), X.bfloat16())
    found: dict[str, Function] = {
        "trace": traced,
        "trace, frozen": torch.jit.freeze(copy.deepcopy(traced)),
        "trace, optimize_for_inference": torch.jit.optimize_for_inference(
            copy.deepcopy(traced)
        ),
        "convolutions in channels_last": trace(
            replaced(network, nn.Conv1d, _Flat), X
        ),
        "bf16": lambda batch: half(batch.bfloat16()).float(),
    }
    if any(isinstance(one, GroupNorm) for one in network.modules()):
        separate = replaced(network, GroupNorm, separate_norm)
        found["ml4gw's group normalisation"] = trace(separate, X)
    if X.device.type == "cpu":
        found["ONNX Runtime"] = through_onnxruntime(network, X)
    else:
        fp16 = trace(copy.deepcopy(network).half(), X.half())
        found["fp16"] = lambda batch: fp16(batch.half()).float()
        found["torch.compile"] = torch.compile(network, dynamic=False)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=CASES, default="demo")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch-size", type=int)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    # As the engines set it; the default would compare with a TF32 baseline.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    case = CASES[arguments.network]
    device = torch.device(arguments.device)
    cpu = device.type == "cpu"
    batch = arguments.batch_size or (32 if cpu else 2048)
    torch.manual_seed(0)
    network = case.network().eval().to(device)
    count = batch * (8 if arguments.network == "published" else 32)
    X = torch.randn(count, len(IFOS), case.kernel_size, device=device)
    pool = ThreadPoolExecutor(
        CORES if cpu else 1,
        initializer=torch.set_num_threads,
        initargs=(1,),
    )

    def evaluate(function: Function) -> Tensor:
        def one(piece: Tensor) -> Tensor:
            with torch.inference_mode():
                return function(piece).flatten()

        answers = torch.cat(list(pool.map(one, X.split(batch))))
        if not cpu:
            torch.cuda.synchronize(device)
        return answers

    ways = variants(network, X)
    expected = evaluate(ways["trace"])
    error = {
        name: float((evaluate(way) - expected).abs().max() / expected.std())
        for name, way in ways.items()
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(arguments.repeats):
        for name, way in ways.items():
            began = time.perf_counter()
            evaluate(way)
            best[name] = min(best[name], time.perf_counter() - began)
    print(
        f"{arguments.network} network, {count} kernels in batches of {batch}, "
        f"{CORES} cores, {device}, torch {torch.__version__}\n"
    )
    head("", "outputs/s", "ratio", "largest difference / spread")
    for name, seconds in best.items():
        ratio = best["trace"] / seconds
        rate = count / seconds
        row(name, f"{rate:.0f}", f"{ratio:.2f}", f"{error[name]:.1g}")


if __name__ == "__main__":
    main()
