import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from conventions.errors import UserError
from infer.direct import DirectEngine
from preprocessing.manifest import Manifest


def test_burn_in_is_not_a_number(tiny, run_dir, manifest):
    engine = DirectEngine(run_dir, manifest)
    outputs = engine.outputs(tiny.noise(15.3)[None])
    assert outputs.shape == (1, 61)
    assert np.isnan(outputs[:, :32]).all()
    assert np.isfinite(outputs[:, 32:]).all()


def test_injections_do_not_change_the_background(tiny, run_dir, manifest):
    engine = DirectEngine(run_dir, manifest)
    strain = tiny.noise(15.0)
    loud = strain + 1e-19
    both = engine.outputs(np.stack([strain, loud]))
    np.testing.assert_array_equal(both[:1], engine.outputs(strain[None]))


def test_weights_that_are_missing_or_changed(run_dir, manifest, tmp_path):
    with pytest.raises(UserError, match="there are no weights at"):
        DirectEngine(tmp_path, manifest)
    other = dataclasses.replace(manifest, weights_sha256="0" * 64)
    with pytest.raises(UserError, match="expected 0000"):
        DirectEngine(run_dir, other)


def test_manifest_of_a_training(run_dir):
    manifest = Manifest.read(run_dir / "manifest.json")
    with pytest.raises(UserError, match="lacks psd_length"):
        DirectEngine(run_dir, manifest)


def test_the_client_side_needs_no_torch(tmp_path):
    """All but the in-process engine works where torch is not installed."""
    script = """
import sys
sys.modules["torch"] = None
import infer.cli, infer.main, infer.server, infer.settings, infer.client
import infer.direct
from conventions.errors import UserError
try:
    infer.direct.DirectEngine("model.pt", None)
except UserError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "needs torch" in done.stdout
    assert "infer[torch]" in done.stdout
