"""Backfills as an operator wants them: what is needed, how long it takes and what it costs, before anything starts.

Reads the lake's footers and what a source says of itself; asks a platform for counts only where the lake knows too little, or where
posts cost money. `start` makes Airflow's backfills of `collect`. Refuses windows that can't be had, with the first or the last one that
can, and a plan whose most is over the budget. Every number of a plan is an estimate and says from what.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from groundswell.airflow_api import Airflow
from groundswell.budget import Budget
from groundswell.errors import ParamsError, SourceError, StackError, UnknownName, UsageError, WindowError, nearest
from groundswell.http import Http
from groundswell.lake import Lake
from groundswell.params import Params
from groundswell.refusals import require_settings
from groundswell.settings import Settings
from groundswell.sources import source_named
from groundswell.sources.base import Reading, Source
from groundswell.window import Window

if TYPE_CHECKING:
    from httpx2 import BaseTransport

_HISTORY, _ENOUGH, _SAMPLES = 28, 7, 7
"""Windows of the lake that an estimate looks at, the nearest ones; fewer than enough, and the platform is asked about a sample instead."""
_UNLIMITED_PER_MINUTE = 60
"""Where no limit is known: a request a second."""


def plan(
    source: str,
    topic: str,
    windows: list[Window],
    *,
    settings: Settings,
    params: Params,
    now: datetime,
    budget: float | None = None,
    again: bool = False,
    transport: BaseTransport | None = None,
) -> dict:
    """What collecting those of ``windows`` that are not in the lake (``again``: all) needs: windows, posts, requests, minutes, dollars.

    Errors, before anything is asked: `UnknownName`, `WindowError` for windows that can't be had; then `UsageError` over ``budget``.
    """
    section = getattr(params.topics[topic], source, None)
    if section is None:
        raise UnknownName(f"topic {topic!r} has no section {source!r} in params.yaml{nearest(source, params.topics[topic].sources)}")
    network = source_named(source).for_topic(section)
    _require_within_reach(network, windows, now)
    lake = Lake(settings.lake)
    there = {one.window: one for one in lake.partitions("raw", source=source, topic=topic)}
    there = {window: one for window, one in there.items() if window not in windows or lake.metadata(one).get("status") != "open"}
    needed = [window for window in windows if again or window not in there]
    asked = network if needed else replace(network, count=None)
    posts, basis = _posts(asked, section, needed or windows, there, settings, params, transport)
    report = {
        "stage": "backfill",
        "source": source,
        "topic": topic,
        "from": windows[0].key,
        "to": windows[-1].key,
        "windows": len(windows),
        "there": sum(window in there for window in windows),
        "needed": [window.key for window in needed],
        "ranges": [f"{first}..{last}" for first, last in ranges(needed)],
        "basis": basis,
        **_estimate(network, params, needed, posts, now),
        "budget_usd": budget,
    }
    _require_affordable(report, network, budget)
    return report


def ranges(windows: Sequence[Window]) -> list[tuple[Window, Window]]:
    """``windows`` (in order) as spans without a hole: Airflow's backfills know nothing else."""
    found: list[tuple[Window, Window]] = []
    for window in windows:
        if found and found[-1][1].next() == window:
            found[-1] = (found[-1][0], window)
        else:
            found.append((window, window))
    return found


def _require_within_reach(network: Source, windows: list[Window], now: datetime) -> None:
    if network.is_on_sight:
        raise WindowError(f"{network.name} shows its latest posts only: there is no past to ask for, its windows grow with every run of collect")
    unit, settle = windows[0].unit, network.settle * (not network.is_file)
    if windows[-1].end + settle > now:
        last = Window.of(now - settle, unit).previous()
        raise WindowError(f"window {windows[-1]} can't be had yet from {network.name}: the last one that can is {last}")
    if network.look_back is not None and windows[0].start < now - network.look_back:
        oldest = Window.of(now - network.look_back, unit)
        first = oldest if oldest.start >= now - network.look_back else oldest.next()
        raise WindowError(
            f"window {windows[0]} is gone: {network.name} looks back {network.look_back.days} days; the first one that can be had is {first}"
        )


def _posts(network, section, needed, there, settings, params, transport) -> tuple[tuple[float, float] | None, str]:
    """Posts of a window, expected and at most, and from what that is known; None where nothing is.

    A platform that is paid by the post counts them all, where its token allows: then nothing has to be guessed.
    """
    if not network.usd_per_post or network.count is None:
        return _guessed(network, section, needed, there, settings, params, transport)
    try:
        return _counted(network, section, needed, settings, params, transport)
    except (SourceError, ParamsError) as error:
        posts, basis = _guessed(replace(network, count=None), section, needed, there, settings, params, transport)
        return posts, f"{basis} ({network.name} did not count: {error})"


def _counted(network, section, needed, settings, params, transport) -> tuple[tuple[float, float], str]:
    require_settings(network, settings)
    with _http(params, transport) as http:
        spans = [Reading(section, first.start, last.end, settings, params.collect, http) for first, last in ranges(needed)]
        total = sum(map(network.count, spans))
        paid = f"{http.requests} requests, ${http.usd:.3f}"
    return (total / len(needed),) * 2, f"{network.name}'s own count of all {len(needed)} windows: {total:,} posts ({paid})"


def _http(params: Params, transport) -> Http:
    return Http(attempts=params.collect.attempts, longest_wait_seconds=params.collect.longest_wait_seconds, transport=transport)


def _guessed(network, section, needed, there, settings, params, transport) -> tuple[tuple[float, float] | None, str]:
    lake, middle = Lake(settings.lake), needed[len(needed) // 2].start
    near = sorted((window for window in there if window.unit == needed[0].unit), key=lambda window: abs(window.start - middle))[:_HISTORY]
    if len(near) < _ENOUGH and network.count is not None:
        asked = needed[:: max(1, math.ceil(len(needed) / _SAMPLES))]
        with _http(params, transport) as http:
            counts = [network.count(Reading(section, one.start, one.end, settings, params.collect, http)) for one in asked]
        return _level(counts), f"{network.name}'s own count of {len(counts)} of the windows: {_words(counts)}"
    if not near:
        return None, "nothing: no window of this source is in the lake, and it counts for nobody; collect one first"
    counts = [lake.metadata(there[window]).get("rows", 0) for window in near]
    return _level(counts), f"{len(counts)} windows in the lake, {min(near)} … {max(near)}: {_words(counts)}"


def _level(counts: list[int]) -> tuple[float, float]:
    return sum(counts) / len(counts), float(max(counts))


def _words(counts: list[int]) -> str:
    return f"{sum(counts) / len(counts):,.0f} posts on average, {max(counts):,} at most"


def _estimate(network: Source, params: Params, needed: list[Window], posts: tuple[float, float] | None, now: datetime) -> dict:
    if posts is None and needed:
        return {"posts": None, "requests": None, "minutes": None, "usd": 0.0 if not network.usd_per_post else None, "warning": ""}
    expected, most = posts or (0.0, 0.0)
    requests = sum(_requests(network, params, window, expected, now) for window in needed)
    return {
        "posts": {"expected": round(expected * len(needed)), "most": round(most * len(needed))},
        "requests": requests,
        "minutes": round(requests / (network.requests_per_minute or _UNLIMITED_PER_MINUTE), 1),
        "usd": {
            "expected": round(expected * len(needed) * network.usd_per_post, 2),
            "most": round(most * len(needed) * network.usd_per_post, 2),
        },
        "warning": _warning(network, needed, expected, now),
    }


def _requests(network: Source, params: Params, window: Window, posts: float, now: datetime) -> int:
    """Pages of one window, shared evenly by its queries: from now down to its start for a walk back; more for what is cut in halves below a cap."""
    if network.is_file:
        return 0
    if network.reads == "walk back":
        posts *= max(1.0, (now - window.start) / (window.end - window.start))
    posts /= network.queries
    pages = math.ceil(posts / min(network.page_size or params.collect.page_size, params.collect.page_size))
    if network.query_cap and posts > network.query_cap:
        pages += 2 * math.ceil(posts / network.query_cap)
    return network.queries * max(1, pages)


def _warning(network: Source, needed: list[Window], posts: float, now: datetime) -> str:
    if network.reads != "walk back" or not network.query_cap or not needed or not posts:
        return ""
    reached = network.query_cap * network.queries / posts
    if (now - needed[0].start) / (needed[0].end - needed[0].start) <= reached:
        return ""
    shown = f"its latest {network.query_cap:,} posts" + f" of each of {network.queries} listings" * (network.queries > 1)
    return f"{network.name} shows {shown}, about {reached:.0f} windows: older ones will be refused, not cut short"


def _require_affordable(report: dict, network: Source, budget: float | None) -> None:
    if not network.usd_per_post or not report["needed"]:
        return
    if report["usd"] is None and budget is not None:
        raise UsageError(f"{network.name} costs ${network.usd_per_post:.4f} a post and nothing says how many there are: {report['basis']}")
    if budget is not None and report["usd"]["most"] > budget:
        raise UsageError(
            f"the backfill may cost ${report['usd']['most']:.2f} (expected ${report['usd']['expected']:.2f}, by {report['basis']}), "
            f"over the budget of ${budget:.2f}: ask for fewer windows or raise --budget"
        )


def start(
    planned: dict,
    airflow: Airflow,
    *,
    settings: Settings,
    is_paid: bool,
    reason: str = "",
    no_downstream: bool = False,
    max_active_runs: int = 4,
    wait_seconds: float = 86_400,
    say: Callable[[str], None] = lambda line: None,
) -> dict:
    """Have Airflow run what ``planned`` (of `plan`) needs, one span after the other; returns the backfills and their runs' states.

    Waits for each span's end but the last, which Airflow refuses to run beside another; a span with a failed window ends it, as
    `StackError`. Money is held to the plan's budget by every run (`Budget`): a paid source without one is refused.
    """
    if is_paid and planned["budget_usd"] is None:
        raise UsageError(f"{planned['source']} costs money: expected --budget USD, the most that all runs together may pay")
    if airflow.dag("collect")["is_paused"]:
        raise StackError("the DAG collect is paused, so a backfill would not begin: unpause it first")
    conf = {"topics": [planned["topic"]], "sources": [planned["source"]], "reason": reason or f"backfill {planned['from']}..{planned['to']}"}
    conf |= {"no_downstream": no_downstream}
    if is_paid:
        name = f"{planned['source']}-{planned['topic']}-{planned['from']}-{planned['to']}"
        Budget(settings, name).open(planned["budget_usd"])
        conf["budget"] = name
    spans, backfills = ranges([Window.parse(key) for key in planned["needed"]]), []
    for number, (first, last) in enumerate(spans, start=1):
        made = airflow.backfill("collect", first, last, max_active_runs=max_active_runs, reprocess="completed", conf=conf)
        say(f"backfill {made['id']}: {first} … {last} ({number} of {len(spans)})")
        backfills.append({"id": made["id"], "from": first.key, "to": last.key})
        if number < len(spans):
            runs = airflow.wait_for_backfill(made, seconds=wait_seconds)
            if failed := [run["partition_key"] for run in runs if run["state"] != "success"]:
                raise StackError(f"backfill {made['id']}: {', '.join(failed)} failed; nothing after it was started: see {airflow.url}")
    return {**planned, "reason": conf["reason"], "no_downstream": no_downstream, "budget": conf.get("budget"), "backfills": backfills}


def show(planned: dict, say: Callable[[str], None]) -> None:
    """Say a plan for a person, line by line."""
    say(f"{planned['source']}/{planned['topic']} {planned['from']} … {planned['to']}: {planned['windows']} windows, {planned['there']} in the lake")
    say(f"to collect: {len(planned['needed'])} windows" + _spans(planned["ranges"]))
    if not planned["needed"]:
        return
    if planned["posts"] is None:
        say(f"estimate: none. Known is {planned['basis']}")
        return
    posts, usd = planned["posts"], planned["usd"]
    say(f"estimate, by {planned['basis']}")
    say(
        f"posts: {posts['expected']:,} expected, {posts['most']:,} at most; requests: {planned['requests']:,}; {planned['minutes']:,} minutes or more"
    )
    budget = f"; budget ${planned['budget_usd']:,.2f}" if planned["budget_usd"] is not None else ""
    say(f"money: ${usd['expected']:,.2f} expected, ${usd['most']:,.2f} at most{budget}" if usd["most"] else "money: none")
    if planned["warning"]:
        say(f"careful: {planned['warning']}")


def _spans(spans: list[str]) -> str:
    return f" ({', '.join(spans[:5])}{' …' * (len(spans) > 5)})" if spans else ""
