"""A new version on a growing share of clients: 1, 10, 50, 100 %, each step only on evidence, back to none at the first bad one.

A client is in the share by the hash of its id and the version, so it stays where it is while the share grows. Per step and arm, requests,
errors and times are counted, and how often the canary's label differs from the champion's on the canary's own requests. Reads and
writes ``rollout.json``, which all workers share and a restart finds again; writes the ledger. Never writes the registry: at 100 % with
evidence it says ``ready``, and a person finishes (`groundswell rollout finish`).

Each metric is tested with an exact one-sided binomial tail: errors against the champion's share plus `ERROR_MARGIN`, times beyond
``slower`` times the champion's 99th percentile against 1 %, disagreements against ``disagreement``. A test is made only when its number
of points has doubled since the last one, the k-th at level ``_ALPHA / (3 metrics · 4 steps · k (k + 1))``: these levels sum to at most
`_ALPHA` over all looks of a rollout (union bound), so a version within its bounds is rolled back by chance in at most one of a
hundred rollouts.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from starlette.types import Scope

from groundswell.files import write_json
from serving.ledger import Ledger
from serving.registry import Version

SHARES = (0.01, 0.1, 0.5, 1.0)
CANARY_ARM, CHAMPION_ARM = "canary", "champion"
METRICS = ("errors", "seconds", "disagreement")
ERROR_MARGIN = 0.01

_ALPHA = 0.01
_FIRST_LOOK = 8
_QUANTILE = 0.99
_SLACK_SECONDS = 0.01
"""Times of a few milliseconds differ by more than a ratio for reasons that are no model's."""
_GROWTH = 1.1
"""Times are kept in classes, each so much wider than the one before: a percentile is off by at most so much."""
_LONGEST_GAP_SECONDS = 10
_CLIENT_HEADER = b"x-client-id"

_asked_by: ContextVar[Scope | None] = ContextVar("asked_by", default=None)

logger = logging.getLogger(__name__)


def note_client(scope: Scope) -> None:
    """Remember, for this task, whose request it is: `client_id` reads it, where a rollout needs to know."""
    _asked_by.set(scope)


def client_id(key_name: str | None) -> bytes:
    """Who asks: the header X-Client-Id, else the name of its API key, else the address it comes from."""
    scope = _asked_by.get() or {}
    for name, value in scope.get("headers", ()):
        if name == _CLIENT_HEADER and value:
            return b"id " + value[:256]
    if key_name:
        return b"key " + key_name.encode()
    return b"from " + str((scope.get("client") or ("",))[0]).encode()


def tail(count: int, of: int, share: float) -> float:
    """P(X ≥ ``count``) for X binomial with ``of`` trials of probability ``share``: exact."""
    if count <= 0:
        return 1.0
    if not 0 < share < 1:
        return float(share >= 1)
    logs = (
        math.lgamma(of + 1) - math.lgamma(hits + 1) - math.lgamma(of - hits + 1) + hits * math.log(share) + (of - hits) * math.log1p(-share)
        for hits in range(count, of + 1)
    )
    return min(1.0, math.fsum(math.exp(each) for each in logs))


class Rollout:
    """The state of one topic's rollout, as all workers share it. ``settle`` is called about once a second, the rest on every request.

    ``slower``, ``disagreement``: the bounds. ``points``: data points per metric, arm and step; ``step_seconds``: how long a step takes at least.
    ``clock`` counts seconds, never back, the same in all processes of the machine.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        *,
        points: int,
        step_seconds: float,
        slower: float,
        disagreement: float,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._path, self._ledger, self._clock = Path(folder) / "rollout.json", ledger, clock
        self._points, self._step_seconds, self._slower, self._disagreement = points, step_seconds, slower, disagreement
        self._lock = threading.Lock()
        self._fresh = _counts()
        self._state: dict = _none()
        self._followed: tuple[Version | None, Version | None, str | None] | None = None

    def chooses_canary(self, version: Version, client: bytes) -> bool:
        """Whether ``client`` is in the share that ``version`` has now."""
        share = self._share(version)
        return share > 0 and _place(version, client) < share

    def observe(self, arm: str, seconds: float, *, is_error: bool) -> None:
        """A request of ``arm`` took ``seconds``, or failed."""
        with self._lock:
            counts = self._fresh["arms"][arm]
            counts["requests"] += 1
            counts["errors"] += is_error
            if not is_error:
                place = str(_class_of(seconds))
                counts["seconds"][place] = counts["seconds"].get(place, 0) + 1

    def compared(self, agrees: bool) -> None:
        """The champion was asked what the canary had answered."""
        with self._lock:
            self._fresh["compared"] += 1
            self._fresh["disagreed"] += not agrees

    def follow(self, canary: Version | None, champion: Version | None, refused: str | None = None) -> None:
        """What the aliases point to now, as the registry said last; ``refused``: why the canary's version can't be asked at all."""
        self._followed = (canary, champion, refused)

    def settle(self) -> None:
        """Add what this worker saw to what all saw, and decide; a state that can't be written stays in memory until it can."""
        with self._lock:
            fresh, self._fresh = self._fresh, _counts()
        try:
            with self._alone():
                before = self._read()
                state = self._next(before, fresh, *self._followed) if self._followed else before
                if state != before:
                    write_json(state, self._path)
        except OSError as error:
            logger.warning("%s can't be kept (%s): the rollout stands still", self._path.name, error.strerror)
            return
        self._state = state

    def report(self) -> dict:
        """What `GET /v1/rollout` says."""
        state = self._state
        share = SHARES[state["step"]] if state["state"] in ("running", "ready") else 0.0
        version, champion = state["version"], state["champion"]
        return {
            "state": state["state"],
            "version": version and version["version"],
            "champion": champion and champion["version"],
            "share": share,
            "step": state["step"] + 1 if version else 0,
            "steps": list(SHARES),
            "points": _points(state),
            "points_needed": self._points,
            "seconds_left": max(0.0, round(self._step_seconds - state["dwelt_seconds"], 1)) if share else 0.0,
            "numbers": _numbers(state),
            "decision": state["decision"],
        }

    def _share(self, version: Version) -> float:
        state = self._state
        if state["state"] not in ("running", "ready") or state["version"] != version.as_dict():
            return 0.0
        return SHARES[state["step"]]

    def _next(self, state: dict, fresh: dict, canary: Version | None, champion: Version | None, refused: str | None) -> dict:
        if canary is None or champion is None or canary == champion:
            if state["state"] != "none":
                self._ledger.write("rollout ended", version=state["version"]["version"], state=state["state"])
            return _none()
        pair = {"version": canary.as_dict(), "champion": champion.as_dict()}
        if {name: state[name] for name in pair} != pair:
            return self._step({**_none(), **pair, "state": "running"}, 0, f"version {canary.version} begins")
        if state["state"] == "rolled back":
            return state
        if refused:
            return self._rolled_back(state, refused)
        now, state = self._clock(), _added(state, fresh)
        # The clock is the machine's since its start: after a restart of it, or a pause of all workers, no time has passed for a step.
        gap = now - state["at"]
        state["at"], state["dwelt_seconds"] = now, state["dwelt_seconds"] + (gap if 0 < gap < _LONGEST_GAP_SECONDS else 0)
        broken = self._broken(state)
        if broken:
            return self._rolled_back(state, broken)
        if state["state"] == "running" and state["dwelt_seconds"] >= self._step_seconds and min(_points(state).values()) >= self._points:
            if state["step"] + 1 < len(SHARES):
                return self._step(state, state["step"] + 1, f"every metric is within its bounds after {min(_points(state).values())} points")
            self._ledger.write("rollout ready", version=canary.version, numbers=_numbers(state))
            return {**state, "state": "ready", "decision": "every metric is within its bounds at 100 %: finish when you like"}
        return state

    def _step(self, state: dict, step: int, decision: str) -> dict:
        self._ledger.write("rollout step", version=state["version"]["version"], share=SHARES[step], decision=decision, numbers=_numbers(state))
        logger.info("rollout of version %s: %g %% (%s)", state["version"]["version"], 100 * SHARES[step], decision)
        fresh = _counts()
        if SHARES[step] == 1:  # nobody is left to compare with: the champion's numbers are those of the step before
            fresh["arms"][CHAMPION_ARM] = state["arms"][CHAMPION_ARM]
        return {**state, **fresh, "step": step, "looks": {}, "at": self._clock(), "dwelt_seconds": 0.0, "decision": decision}

    def _rolled_back(self, state: dict, reason: str) -> dict:
        version = state["version"]["version"]
        self._ledger.write("rollout rolled back", version=version, share=SHARES[state["step"]], reason=reason, numbers=_numbers(state))
        logger.error("rollout of version %s is rolled back at %g %%: %s", version, 100 * SHARES[state["step"]], reason)
        return {**state, "state": "rolled back", "decision": reason}

    def _broken(self, state: dict) -> str | None:
        """Why the canary must go, or None; a metric is looked at when its points have doubled. Marks the looks in ``state``."""
        for metric, (bad, points, bound, words) in self._tests(state).items():
            look = int(math.log2(points / _FIRST_LOOK)) + 1 if points >= _FIRST_LOOK else 0
            if look <= state["looks"].get(metric, 0):
                continue
            state["looks"] = {**state["looks"], metric: look}
            if tail(bad, points, bound) < _ALPHA / (len(METRICS) * len(SHARES) * look * (look + 1)):
                return f"{metric}: {bad} of {points} {words}, expected a share of at most {bound:.3f}"
        return None

    def _tests(self, state: dict) -> dict[str, tuple[int, int, float, str]]:
        canary, champion = state["arms"][CANARY_ARM], state["arms"][CHAMPION_ARM]
        tests = {"disagreement": (state["disagreed"], state["compared"], self._disagreement, "labels differ from the champion's")}
        if champion["requests"] >= _FIRST_LOOK:
            usual = (champion["errors"] + 1) / (champion["requests"] + 2)  # Laplace: none seen is not none possible
            tests["errors"] = (canary["errors"], canary["requests"], min(1.0, usual + ERROR_MARGIN), "requests failed")
        if sum(champion["seconds"].values()) >= self._points:
            # At 100 % the champion's times are of another hour: what else the machine does is in one arm only, so the bound is the wider.
            slower = self._slower if SHARES[state["step"]] < 1 else self._slower**2
            limit = slower * _percentile(champion["seconds"], _QUANTILE) + _SLACK_SECONDS
            beyond = sum(count for place, count in canary["seconds"].items() if _lower_edge(int(place)) > limit)
            words = f"requests took more than {limit:.3f} s, {slower:g} times the champion's 99th percentile"
            tests["seconds"] = (beyond, sum(canary["seconds"].values()), 1 - _QUANTILE, words)
        return tests

    @contextmanager
    def _alone(self):
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> dict:
        try:
            state = json.loads(self._path.read_text(encoding="utf-8"))
            return state if state.keys() == _none().keys() else _none()
        except (OSError, ValueError, AttributeError):
            return _none()


def _counts() -> dict:
    return {
        "arms": {arm: {"requests": 0, "errors": 0, "seconds": {}} for arm in (CANARY_ARM, CHAMPION_ARM)},
        "compared": 0,
        "disagreed": 0,
    }


def _none() -> dict:
    state = {"state": "none", "version": None, "champion": None, "step": 0, "looks": {}, "at": 0.0, "dwelt_seconds": 0.0, "decision": None}
    return {**state, **_counts()}


def _added(state: dict, fresh: dict) -> dict:
    arms = {}
    for arm, counts in state["arms"].items():
        more = fresh["arms"][arm]
        places = counts["seconds"].keys() | more["seconds"].keys()
        arms[arm] = {
            "requests": counts["requests"] + more["requests"],
            "errors": counts["errors"] + more["errors"],
            "seconds": {place: counts["seconds"].get(place, 0) + more["seconds"].get(place, 0) for place in sorted(places, key=int)},
        }
    return {**state, "arms": arms, "compared": state["compared"] + fresh["compared"], "disagreed": state["disagreed"] + fresh["disagreed"]}


def _points(state: dict) -> dict[str, int]:
    canary, champion = state["arms"][CANARY_ARM], state["arms"][CHAMPION_ARM]
    return {
        "errors": min(canary["requests"], champion["requests"]),
        "seconds": min(sum(canary["seconds"].values()), sum(champion["seconds"].values())),
        "disagreement": state["compared"],
    }


def _numbers(state: dict) -> dict:
    arms = {
        arm: {
            "requests": counts["requests"],
            "errors": counts["errors"],
            "p99_seconds": round(_percentile(counts["seconds"], _QUANTILE), 5) if counts["seconds"] else None,
        }
        for arm, counts in state["arms"].items()
    }
    return {**arms, "compared": state["compared"], "disagreed": state["disagreed"]}


def _place(version: Version, client: bytes) -> float:
    """Where in [0, 1) the client stands for this version; another version has other clients first."""
    digest = hashlib.blake2b(client, key=f"{version.source} {version.version}".encode()[:64], digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _class_of(seconds: float) -> int:
    return math.floor(math.log(max(seconds, 1e-6)) / math.log(_GROWTH))


def _lower_edge(place: int) -> float:
    return _GROWTH**place


def _percentile(seconds: dict[str, int], share: float) -> float:
    """The upper edge of the class in which ``share`` of the times are reached."""
    rank, seen = math.ceil(share * sum(seconds.values())), 0
    for place in sorted(map(int, seconds)):
        seen += seconds[str(place)]
        if seen >= rank:
            return _lower_edge(place + 1)
    return 0.0
