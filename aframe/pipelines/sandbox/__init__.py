"""From segments to the sensitive volume."""

from aframe.pipelines.sandbox.sandbox import Sandbox, SandboxInfer, SandboxSV

__all__ = ["Sandbox", "SandboxInfer", "SandboxSV"]
