"""What was made last, kept up to a size: worth it because a simulated platform is asked for the same day page by page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Values by key; the oldest go when all of them together are larger than ``most``. The newest is always kept. Threads may share it."""

    def __init__(self, most: int, size: Callable[[Value], int]):
        self._most, self._size = most, size
        self._values: dict[Hashable, Value] = {}
        self._total = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of ``key``, made where there is none. Two threads may make the same one; a pure value bears that."""
        found = self._values.get(key)
        return found if found is not None else self._put(key, make())

    def _put(self, key: Hashable, value: Value) -> Value:
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._total += self._size(value) + 1
                while self._total > self._most and len(self._values) > 1:
                    self._total -= self._size(self._values.pop(next(iter(self._values)))) + 1
            return value
