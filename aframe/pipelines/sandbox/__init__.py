"""From segments to the sensitive volume."""

from aframe.pipelines.sandbox.sandbox import Sandbox, SandboxInfer, SandboxSV
from aframe.pipelines.sandbox.tune import Tune

__all__ = ["Sandbox", "SandboxInfer", "SandboxSV", "Tune"]
