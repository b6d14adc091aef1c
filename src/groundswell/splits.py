"""Train, validation and test by time and by group: what comes later judges, and nobody is on two sides.

1. Time. Test is the latest windows with about ``test_share`` of the rows that may judge, validation the windows before it.
2. Who may. Rows whose label may not judge stay in training; those that are later than it are left out.
3. Groups. A key (a cluster of duplicates, a source id, an author) with rows in several periods stays in the one of whose rows
   it makes up the largest share (the latest one in a tie); its rows elsewhere are left out. So whoever is prolific is not taken
   from one side only: training and the judging sets give up like parts of themselves, and the latter stay like their time.
   One kind of key after the other, each on what the one before left.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Sequence
from fractions import Fraction

from groundswell.errors import DatasetError

SPLITS = ("train", "validation", "test")


def boundaries(windows: Sequence[int], may_judge: Sequence[bool], *, validation_share: float, test_share: float) -> tuple[int, int]:
    """Where validation and test begin: values of ``windows``, which holds for each row its window's start (any number that grows with time).

    Each share is met as nearly as whole windows can, and each split has a window at least. `DatasetError` when there are not three.
    """
    judging = Counter(window for window, may in zip(windows, may_judge, strict=True) if may)
    total = sum(judging.values())
    starts = sorted(judging)
    if len(starts) < 3:
        raise DatasetError(
            f"{total} rows with a label that may judge (human, dataset) lie in {len(starts)} window(s): a split by time needs 3 at least. "
            "Collect more windows, or label posts in more of them"
        )
    test_from = _cut(starts[2:], judging, test_share * total)
    validation_from = _cut([start for start in starts[1:] if start < test_from], judging, validation_share * total)
    return validation_from, test_from


def _cut(starts: list[int], judging: Counter, wanted: float) -> int:
    """The one of ``starts`` from which on they hold most nearly ``wanted`` rows."""
    held, best = 0, None
    for start in reversed(starts):
        held += judging[start]
        if best is None or abs(held - wanted) < best[0]:
            best = (abs(held - wanted), start)
    return best[1]


def assign(
    windows: Sequence[int],
    starts: tuple[int, int],
    may_train: Sequence[bool],
    may_judge: Sequence[bool],
    keyings: dict[str, Sequence[Hashable]],
) -> tuple[list[str | None], dict[str, dict[str, int]]]:
    """For every row its split, or ``None``; and reason → split that it would have been in → rows left out.

    ``keyings``: a name → a key for every row; a key of ``None`` is nobody's.
    """
    period = [bisect_right(starts, window) for window in windows]
    left_out: dict[str, Counter] = {}
    place: list[int | None] = []
    for number, train, judge in zip(period, may_train, may_judge, strict=True):
        is_allowed = judge if number else train
        place.append(number if is_allowed else None)
        if not is_allowed:
            left_out.setdefault("may_not_judge" if number else "may_not_train", Counter())[SPLITS[number]] += 1
    for name, keys in keyings.items():
        homes = _homes(keys, place)
        for row, key in enumerate(keys):
            if place[row] is not None and key in homes and homes[key] != place[row]:
                left_out.setdefault(f"{name}_in_two_periods", Counter())[SPLITS[place[row]]] += 1
                place[row] = None
    return [None if number is None else SPLITS[number] for number in place], {reason: dict(counts) for reason, counts in left_out.items()}


def _homes(keys: Sequence[Hashable], place: Sequence[int | None]) -> dict[Hashable, int]:
    """For every key with rows in several periods the period in which it stays."""
    rows = Counter(number for number in place if number is not None)
    of_key: dict[Hashable, Counter] = {}
    for key, number in zip(keys, place, strict=True):
        if key is not None and number is not None:
            of_key.setdefault(key, Counter())[number] += 1
    straddling = {key: counts for key, counts in of_key.items() if len(counts) > 1}
    return {key: max(counts, key=lambda number: (Fraction(counts[number], rows[number]), number)) for key, counts in straddling.items()}


def shuffled(count: int, *, validation_share: float, test_share: float, seed: int) -> list[str]:
    """The split of ``count`` rows that a plain random shuffle gives: what is done elsewhere, kept here to be measured against."""
    order = list(range(count))
    random.Random(seed).shuffle(order)
    test, validation = round(count * test_share), round(count * validation_share)
    split = ["train"] * count
    for place, row in enumerate(order[: test + validation]):
        split[row] = "test" if place < test else "validation"
    return split


def leaked(split: Sequence[str | None], keyings: dict[str, Sequence[Hashable]]) -> dict[str, int]:
    """For every keying the validation and test rows whose key an earlier split has too."""
    return {name: _leaked(split, keys) for name, keys in keyings.items()}


def _leaked(split: Sequence[str | None], keys: Sequence[Hashable]) -> int:
    held = {name: {key for key, where in zip(keys, split, strict=True) if where == name and key is not None} for name in SPLITS}
    seen_by = {"train": frozenset(), "validation": held["train"], "test": held["train"] | held["validation"]}
    return sum(key in seen_by[where] for key, where in zip(keys, split, strict=True) if where is not None and key is not None)
