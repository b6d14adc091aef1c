"""Waiting for what a server, a thread or another process does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(look: Callable[[], object], seconds: float = 60):
    """What ``look`` gives once it gives anything."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)
    return found
