import dataclasses
import json

import pytest
from conventions.errors import UserError
from infer.settings import SearchSettings

SETTINGS = SearchSettings(
    integration_window_length=1.0,
    cluster_window_length=8.0,
    recovery_window=2.0,
    psd_length=64.0,
    inference_sampling_rate=4.0,
    batch_size=256,
    weights_sha256="0" * 64,
)


def test_round_trip(tmp_path):
    path = tmp_path / "settings.json"
    SETTINGS.write(path)
    assert SearchSettings.read(path) == SETTINGS


def test_missing(tmp_path):
    with pytest.raises(UserError, match="no search settings"):
        SearchSettings.read(tmp_path / "settings.json")


@pytest.mark.parametrize("content", ["{", "[]", '{"psd_length": 1}'])
def test_foreign(tmp_path, content):
    path = tmp_path / "settings.json"
    path.write_text(content)
    with pytest.raises(UserError, match="does not hold search settings"):
        SearchSettings.read(path)


def test_the_engine_may_be_unknown(tmp_path):
    path = tmp_path / "settings.json"
    dataclasses.replace(SETTINGS, engine="direct, fp32").write(path)
    assert SearchSettings.read(path).engine == "direct, fp32"
    content = json.loads(path.read_text())
    del content["engine"]
    path.write_text(json.dumps(content))
    assert SearchSettings.read(path) == SETTINGS


def test_more_than_is_known_is_ignored(tmp_path):
    path = tmp_path / "settings.json"
    SETTINGS.write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"new": 1}))
    assert SearchSettings.read(path) == SETTINGS


def test_other_settings_are_named_with_both_values(tmp_path):
    path = tmp_path / "settings.json"
    same = {"psd_length": SETTINGS.psd_length}
    SETTINGS.check("demo.cfg", path, **same)
    with pytest.raises(UserError) as caught:
        SETTINGS.check("demo.cfg", path, recovery_window=9.0, psd_length=16.0)
    message = str(caught.value)
    window = SETTINGS.recovery_window
    assert f"recovery_window: {window} in {path}, 9.0 in demo.cfg" in message
    assert f"psd_length: {SETTINGS.psd_length} in {path}, 16.0" in message


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("direct, fp32", "triton, python", True),
        ("triton, onnx", "triton, python", True),
        ("direct, bf16", "direct, fp32", False),
        ("direct, fp16", "triton, tensorrt fp16", True),
        ("triton, tensorrt fp16", "triton, tensorrt", False),
    ],
)
def test_a_search_goes_on_in_the_same_precision(tmp_path, one, other, agree):
    path = tmp_path / "slide" / "livetime.hdf5"
    path.parent.mkdir()
    dataclasses.replace(SETTINGS, engine=one).note(path)
    wanted = dataclasses.replace(SETTINGS, engine=other)
    if agree:
        wanted.check_slide(path)
    else:
        with pytest.raises(UserError, match=f"engine: {one} in this slide"):
            wanted.check_slide(path)
