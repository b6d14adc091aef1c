"""Erasure in what serving keeps: its corrections and caches, through its own command, in its own environment.

Serving's secret, which its hashes are made with, stays serving's. Texts go by standard input. Where no serving ever ran for a topic
beside this home, there is nothing to ask.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable

from groundswell.errors import ErasureError
from groundswell.settings import Settings


def forget(topic: str, texts: Iterable[str], *, settings: Settings) -> dict:
    """What ``serving.forget`` reports; `ErasureError` with its own words when it fails."""
    if not (settings.root / "serving" / topic).is_dir():
        return {"corrections": 0, "caches": "none"}
    own = settings.serving_interpreter
    python = str(own) if settings.serving_python or own.exists() else sys.executable
    places = {"GROUNDSWELL_TOPIC": topic, "GROUNDSWELL_PROJECT": str(settings.project.resolve()), "GROUNDSWELL_HOME": str(settings.root)}
    done = subprocess.run(
        [python, "-m", "serving.forget"], input=json.dumps(sorted(texts)), env={**os.environ, **places}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise ErasureError(f"serving's corrections of {topic} can't be erased: {said[0]}; mend that and run the same command again")
    return json.loads(done.stdout.splitlines()[-1])
