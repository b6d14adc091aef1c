"""Which words are in use on a day: each comes into use on a day of its own, stays some days, goes, and comes back much later.

That is how a stream moves in time: what is said stays, the words change, and who learned words only is soon behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from functools import cache, lru_cache

PERIOD_DAYS = 60
"""After so many days a word comes back."""
FEWEST = 4
"""At least so many of a list are in use on any day."""


@lru_cache(maxsize=4096)
def in_use(items: tuple[str, ...], day: date, days_in_use: int, seed: int) -> Sequence[str]:
    """Those of ``items`` that are in use on ``day`` when each stays for ``days_in_use`` of `PERIOD_DAYS`; never fewer than `FEWEST`."""
    ages = sorted(((day.toordinal() + _phase(item, seed)) % PERIOD_DAYS, item) for item in items)
    young = [item for age, item in ages if age < days_in_use]
    return young if len(young) >= FEWEST else [item for _, item in ages[:FEWEST]]


@cache
def _phase(item: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{item}".encode()).digest()[:4], "big") % PERIOD_DAYS
