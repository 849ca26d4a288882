"""The network's formats against torch."""

import sys

import pytest
import torch
from architectures.supervised import SupervisedTimeDomainResNet
from conventions.errors import UserError
from export import onnx_file
from export.main import export
from export.network import Served, check_platform, compare, write_network
from export.training import read_training
from preprocessing.manifest import sha256


def resnet():
    return SupervisedTimeDomainResNet(2, layers=[1, 1, 1, 1]).eval()


def write(platform, run_dir, folder, fp16=False):
    folder.mkdir()
    return write_network(
        platform,
        read_training(run_dir),
        folder,
        batch_sizes=(16, 64),
        fp16=fp16,
    )


def test_python_takes_the_weights_as_they_are(run_dir, tmp_path):
    assert write("python", run_dir, tmp_path / "1") == 0
    weights = tmp_path / "1" / "model.pt"
    assert sha256(weights) == sha256(run_dir / "model.pt")


def test_torchscript_is_exact(run_dir, tmp_path):
    assert write("torchscript", run_dir, tmp_path / "1") == 0
    served = torch.jit.load(tmp_path / "1" / "model.pt")
    network = torch.jit.load(run_dir / "model.pt")
    for size in (1, 2, 7):
        X = torch.randn(size, 2, 64)
        assert torch.equal(served(X)[:, 0], network(X))


def test_onnx_of_the_architecture(train, tmp_path, onnx):
    """In batches of sizes that were not tried when it was written."""
    train(tmp_path / "training", resnet())
    error = write("onnx", tmp_path / "training", tmp_path / "1")
    assert 0 < error < 1e-5
    network = torch.jit.load(tmp_path / "training" / "model.pt")
    for size in (1, 2, 33):
        X = torch.randn(size, 2, 64)
        found = onnx_file.run(tmp_path / "1" / "model.onnx", [X])
        torch.testing.assert_close(
            found.flatten(), network(X).detach(), rtol=1e-4, atol=1e-4
        )


def test_half_precision_is_in_the_file(train, tmp_path, onnx):
    """What TensorRT makes its engine of, run by ONNX Runtime."""
    train(tmp_path, resnet())
    network = torch.jit.load(tmp_path / "model.pt")
    X = read_training(tmp_path).examples
    expected = network(*X).detach().reshape(-1, 1)
    half = torch.jit.trace(Served(network, half=True).eval(), X)
    onnx_file.write(half, X, ["X"], tmp_path / "half.onnx")
    found = onnx_file.run(tmp_path / "half.onnx", X)
    assert found.dtype == torch.float32
    assert compare(found, expected, 3e-2) > 0
    with pytest.raises(RuntimeError, match=r"different by .* than 1e-06"):
        compare(found, expected, 1e-6)


def test_comparison():
    one = torch.tensor([[0.5], [200.0]])
    assert compare(one + 1e-3, one, 0.01) == pytest.approx(1e-3, rel=1e-3)
    assert compare(one * 1.001, one, 0.01) == pytest.approx(1e-3, rel=1e-3)
    with pytest.raises(RuntimeError, match="different by nan"):
        compare(one * torch.nan, one, 1.0)
    with pytest.raises(RuntimeError, match=r"became \(2,\): expected \(2, 1"):
        compare(one[:, 0], one, 1.0)


class Unsupported(torch.nn.Module):
    def forward(self, X):
        return torch.special.bessel_j0(X).sum((1, 2))


def test_onnx_of_an_operation_that_it_does_not_have(
    train, tmp_path, repository, settings, onnx
):
    train(tmp_path / "training", Unsupported())
    with pytest.raises(UserError, match=r"cannot be written as ONNX: .*bess"):
        export(tmp_path / "training", repository, platform="onnx", **settings)
    assert not repository.exists()
    assert list(repository.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
def test_a_missing_package(
    run_dir, repository, settings, monkeypatch, onnx, name
):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=rf"onnx needs {name}, .*export\[onn"):
        export(run_dir, repository, platform="onnx", **settings)
    assert not repository.exists()


def test_tensorrt_without_a_gpu(run_dir, repository, settings, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="torch sees none here: choose plat"):
        export(run_dir, repository, platform="tensorrt", **settings)
    assert not repository.exists()


def test_tensorrt_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(UserError, match="pip install tensorrt-cu12"):
        check_platform("tensorrt", fp16=True)


@pytest.mark.parametrize("fp16", [False, True])
def test_tensorrt(need, train, tmp_path, repository, settings, parse, fp16):
    need("gpu", torch.cuda.is_available(), "there is no GPU")
    pytest.importorskip("tensorrt")
    train(tmp_path / "training", resnet())
    export(
        tmp_path / "training",
        repository,
        platform="tensorrt",
        fp16=fp16,
        **settings,
    )
    assert (repository / "aframe" / "1" / "model.plan").is_file()
    assert parse(repository, "aframe").platform == "tensorrt_plan"
