"""What the tests of the law layer share."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_server
import pytest

from aframe import containers

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "aframe" / "pipelines" / "sandbox" / "configs"
LIGHT = ("infer", "plots")


@pytest.fixture
def configs():
    """The directory of the shipped configurations."""
    return CONFIGS


@pytest.fixture
def run_environment(tmp_path):
    """Environment of a run in a temporary directory."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("AFRAME_")}
    env |= {
        "AFRAME_TRAIN_BACKGROUND_DIR": str(tmp_path / "train/background"),
        "AFRAME_TRAIN_WAVEFORMS_DIR": str(tmp_path / "train/waveforms"),
        "AFRAME_TEST_BACKGROUND_DIR": str(tmp_path / "test/background"),
        "AFRAME_TEST_WAVEFORMS_DIR": str(tmp_path / "test/waveforms"),
        "AFRAME_TRAIN_RUN_DIR": str(tmp_path / "training"),
        "AFRAME_RESULTS_DIR": str(tmp_path / "results"),
        "LAW_CONFIG_FILE": str(CONFIGS / "demo.cfg"),
        "LAW_HOME": str(tmp_path / ".law"),
    }
    return env


@pytest.fixture
def law(run_environment):
    """Runs ``law run`` in a process of its own."""

    def run(*arguments, **environment):
        return subprocess.run(
            [Path(sys.executable).parent / "law", "run", *arguments],
            env=run_environment | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture
def write_config(tmp_path):
    """Writes a configuration that inherits a shipped one."""

    def write(content, base="demo.cfg"):
        path = tmp_path / "test.cfg"
        inherit = f"[core]\ninherit = {CONFIGS / base}\n"
        path.write_text(inherit + content)
        return path

    return write


@pytest.fixture(scope="session")
def base_image(need):
    """An image to build project images from."""
    found = shutil.which("apptainer") is not None
    need("apptainer", found, "apptainer is not on PATH")
    path = os.environ.get("AFRAME_TEST_BASE_IMAGE")
    reason = "AFRAME_TEST_BASE_IMAGE names no base image"
    need("apptainer", path is not None and Path(path).is_file(), reason)
    return Path(path)


@pytest.fixture(scope="session")
def light_images(base_image, tmp_path_factory, worker_id):
    """Images of projects without torch, built once for all processes."""
    root = tmp_path_factory.getbasetemp()
    root = (root if worker_id == "master" else root.parent) / "images"
    root.mkdir(exist_ok=True)
    lock = root / "lock"
    with pytest.MonkeyPatch.context() as patch, lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fast = "-comp gzip -Xcompression-level 1"
        patch.setenv("APPTAINER_MKSQUASHFS_ARGS", fast)
        places = ["--container-root", str(root), "--base", str(base_image)]
        containers.main([*LIGHT, *places, "--max-workers", str(len(LIGHT))])
    return {name: root / f"{name}.sif" for name in LIGHT}


@pytest.fixture(scope="session")
def infer_image(light_images):
    """The image of projects/infer."""
    return light_images["infer"]


@pytest.fixture
def api(tmp_path, monkeypatch):
    """A Kubernetes API, which the official client finds."""
    place = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
    path = tmp_path / "kubeconfig"
    monkeypatch.setattr(place, str(path))
    with kubernetes_server.serve(path) as server:
        yield server
