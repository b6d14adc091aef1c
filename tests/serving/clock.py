"""Seconds that pass when a test says so."""

from __future__ import annotations


class Clock:
    """Counts as `time.monotonic` does; a test moves ``seconds``."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds
