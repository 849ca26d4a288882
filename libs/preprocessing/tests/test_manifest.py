import dataclasses
import hashlib
import json

import pytest
from conventions.errors import UserError
from preprocessing.config import Preprocessing
from preprocessing.manifest import InputSpec, Manifest, sha256


@pytest.fixture
def manifest():
    config = Preprocessing(
        ifos=("H1", "L1"),
        sample_rate=1024,
        kernel_length=1.5,
        fduration=1,
        highpass=32,
    )
    return Manifest(
        preprocessing=config,
        left_pad=0.25,
        right_pad=0.05,
        inputs=(InputSpec("whitened", (2, 1536)),),
        versions={"torch": "2.10.0"},
        git_revision="abc",
        weights_sha256="0" * 64,
    )


def test_round_trip(manifest, tmp_path):
    path = tmp_path / "run" / "manifest.json"
    manifest.write(path)
    assert Manifest.read(path) == manifest
    content = json.loads(path.read_text())
    assert content["ifos"] == ["H1", "L1"]
    assert content["fftlength"] == 2.5
    assert content["inputs"] == [{"name": "whitened", "shape": [2, 1536]}]
    assert "psd_length" not in content
    assert list(path.parent.iterdir()) == [path]


def test_representations_round_trip(manifest, tmp_path):
    inputs = (
        *manifest.inputs,
        InputSpec("slow", (4, 64), "heterodyned", {"chirp_mass": [1.2, 2]}),
    )
    several = dataclasses.replace(manifest, inputs=inputs)
    several.write(tmp_path / "manifest.json")
    assert Manifest.read(tmp_path / "manifest.json") == several
    content = json.loads((tmp_path / "manifest.json").read_text())
    assert content["inputs"][1] == {
        "name": "slow",
        "shape": [4, 64],
        "representation": "heterodyned",
        "arguments": {"chirp_mass": [1.2, 2]},
    }


def test_extended_round_trip(manifest, tmp_path):
    served = manifest.extended(
        psd_length=64, inference_sampling_rate=4, batch_size=128, platform="p"
    )
    served.write(tmp_path / "manifest.json")
    read = Manifest.read(tmp_path / "manifest.json")
    assert read == served
    assert read.psd_length == 64
    assert read.preprocessing == manifest.preprocessing
    assert manifest.psd_length is None


def test_half_precision_is_noted_where_it_is(manifest, tmp_path):
    """A manifest from before there was a note means none."""
    path = tmp_path / "manifest.json"
    manifest.write(path)
    assert "fp16" not in json.loads(path.read_text())
    assert Manifest.read(path).fp16 is False
    served = manifest.extended(
        psd_length=64,
        inference_sampling_rate=4,
        batch_size=128,
        platform="tensorrt",
        fp16=True,
    )
    served.write(path)
    assert Manifest.read(path) == served
    with pytest.raises(UserError, match=r"fp16: True in .*, False in demo"):
        served.check("demo.cfg", path, fp16=False)


def test_equal_settings_pass(manifest):
    manifest.check(
        "demo.cfg",
        ifos=["H1", "L1"],
        sample_rate=1024,
        kernel_length=1.5,
        fduration=1,
        fftlength=None,
        highpass=32,
        lowpass=None,
        left_pad=0.25,
    )


def test_every_difference_is_listed(manifest):
    with pytest.raises(UserError) as caught:
        manifest.check(
            "demo.cfg",
            "run/manifest.json",
            ifos=("L1", "H1"),
            sample_rate=1024.0,
            kernel_length=2.0,
            fduration=1,
            fftlength=None,
            highpass=40.0,
            psd_length=8,
        )
    message = str(caught.value)
    assert "highpass: 32.0 in run/manifest.json, 40.0 in demo.cfg" in message
    assert "kernel_length: 1.5 in run/manifest.json, 2.0" in message
    assert "fftlength: 2.5 in run/manifest.json, 3.0" in message
    assert "psd_length: None in run/manifest.json, 8" in message
    assert "ifos: ['H1', 'L1'] in run/manifest.json, ('L1'" in message
    assert "sample_rate" not in message
    assert "fduration:" not in message


def test_unknown_name_is_a_programming_error(manifest):
    with pytest.raises(TypeError, match="not in a manifest: high_pass"):
        manifest.check("demo.cfg", high_pass=3)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"no manifest at .*manifest\.json"):
        Manifest.read(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format": "other"}', '{"format": "aframe-manifest-1"}'],
)
def test_foreign_file(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(UserError, match="is not a manifest"):
        Manifest.read(path)


def test_checksum(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    assert sha256(path) == hashlib.sha256(b"weights").hexdigest()
