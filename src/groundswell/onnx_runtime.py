"""ONNX Runtime, told to report nothing.

From 1.29 on its Linux wheels write an identifier of the machine to the disk and send what they run to their makers, unless told not to
before they are loaded. Everything of ours takes the library from here.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read once, when the library is loaded; what can be called afterwards stops a part of it only

import onnxruntime  # noqa: E402

__all__ = ["onnxruntime"]
