"""A repository that was exported with other settings is no silent choice."""

import pytest
from conventions.errors import UserError
from preprocessing.config import Preprocessing
from preprocessing.manifest import Manifest

from aframe.tasks import DeployInferLocal, ExportLocal, Infer

SERVED = {
    "psd_length": 8.0,
    "inference_sampling_rate": 4.0,
    "batch_size": 16,
}


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Makes a task of the search of a repository that was exported."""
    monkeypatch.setenv("AFRAME_RESULTS_DIR", str(tmp_path))
    preprocessing = Preprocessing(
        ifos=("H1", "L1"),
        sample_rate=1024,
        kernel_length=1.5,
        fduration=1.0,
        highpass=32.0,
    )

    def make(task, wanted, batch_size=16, **exported):
        Manifest(
            preprocessing=preprocessing,
            left_pad=0.5,
            right_pad=0.0,
            inputs=(),
            weights_sha256="0",
        ).extended(**SERVED, **exported).write(
            tmp_path / "model_repository" / "manifest.json"
        )
        settings = preprocessing.to_dict()
        names = task.get_param_names()
        given = {k: v for k, v in settings.items() if k in names}
        made = task(**given, **SERVED | {"batch_size": batch_size})
        repository = ExportLocal.req(made, **wanted)
        monkeypatch.setattr(
            task, "requires", lambda self: {"repository": repository}
        )
        return made

    return make


@pytest.mark.parametrize("task", [DeployInferLocal, Infer])
@pytest.mark.parametrize(
    "way", [{"platform": "onnx"}, {"platform": "tensorrt", "fp16": True}]
)
def test_a_repository_as_it_is_wanted_passes(search, task, way):
    manifest = search(task, way, **way).check_repository()
    assert manifest.platform == way["platform"]


@pytest.mark.parametrize(
    ("wanted", "exported", "message"),
    [
        (
            {"platform": "torchscript"},
            {"platform": "python"},
            "platform: python in .*/model_repository, torchscript in",
        ),
        (
            {"platform": "tensorrt"},
            {"platform": "tensorrt", "fp16": True},
            "fp16: True in .*/model_repository, False in",
        ),
    ],
)
def test_another_one_is_named_with_what_to_remove(
    search, wanted, exported, message, tmp_path
):
    made = search(Infer, wanted, **exported)
    with pytest.raises(UserError, match=message) as caught:
        made.check_repository()
    assert f"remove {tmp_path / 'model_repository'} to" in str(caught.value)


def test_a_setting_of_the_search_is_compared_too(search):
    made = search(Infer, {}, batch_size=8, platform="python")
    with pytest.raises(UserError, match=r"batch_size: 16 in .*, 8 in"):
        made.check_repository()
