"""Posts a second through text hygiene, on one core: scrubbed, normalised, their language told, hashed, and near duplicates found.

The posts are the simulator's, collected over HTTP from Steam and Hacker News into a lake of their own (``--days 4`` of 3,000 posts on
each); ``prepare`` and ``validate`` call the same functions. CPU seconds of this process, the best of three rounds, beside the bare
Parquet write and read of the same rows. Also: what the scrub finds of what was planted, how languages are told, and near duplicates
against known pairs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from harness import PROJECT, Measure, finish

FLOOR = 8_000
PER_DAY = 3_000
SIMILARITY = 0.8
SENTENCES = PROJECT / "benchmarks" / "data" / "languages.tsv"
_ROUNDS = 3
_SOURCES = ("steam", "hackernews")
_FIRST = "2026-10-19"


def main(days: int) -> tuple[list[Measure], dict]:
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with tempfile.TemporaryDirectory() as home:
        table = collected(Path(home), days)
        rounds = [steps(table, Path(home)) for _ in range(_ROUNDS)]
    seconds = {name: min(one[name] for one in rounds) for name in rounds[0]}
    whole = [sum(value for name, value in one.items() if name != "parquet") for one in rounds]
    speed = {name: round(table.num_rows / value) for name, value in seconds.items()}
    measures = [
        Measure("posts through the whole chain", round(table.num_rows / min(whole)), "posts/s", floor=FLOOR),
        *(Measure(f"  {name}", value, "posts/s") for name, value in speed.items() if name != "parquet"),
        Measure("Parquet, written and read again", speed["parquet"], "posts/s"),
        Measure("the chain ÷ Parquet's write and read", round(min(whole) / seconds["parquet"], 1), "× the time"),
        *recall(days),
        *told(),
        *near(table.column("text").to_pylist()),
    ]
    spread = [round(table.num_rows / value) for value in sorted(whole, reverse=True)]
    return measures, {"posts": table.num_rows, "characters": _mean_length(table), "rounds_posts_per_second": spread, "load": os.getloadavg()[0]}


def collected(home: Path, days: int) -> pa.Table:
    """The raw rows of ``days`` of each source, as `collect` wrote them."""
    from groundswell.collect import collect
    from groundswell.lake import Lake
    from groundswell.params import CollectParams, Topic
    from groundswell.settings import Settings
    from groundswell.sources.hackernews import HackerNewsTopic
    from groundswell.sources.steam import SteamTopic
    from groundswell.window import Window, parse_windows

    first = Window.parse(_FIRST)
    windows = parse_windows(f"{_FIRST}..{(first.day + timedelta(days=days - 1)).isoformat()}")
    topic = Topic(steam=SteamTopic(app_ids=[730]), hackernews=HackerNewsTopic(query="game"))
    with platforms() as url:
        settings = Settings(project=home, home=home, is_demo=True, hackernews_url=f"{url}/hackernews", steam_url=f"{url}/steam")
        for source in _SOURCES:
            collect(source, "games", topic, windows, settings=settings, params=CollectParams(), now=windows[-1].end + timedelta(days=9))
    lake = Lake(settings.lake)
    return pa.concat_tables(lake.read(partition) for source in _SOURCES for partition in lake.partitions("raw", source=source)).combine_chunks()


@contextlib.contextmanager
def platforms() -> Iterator[str]:
    """The address of a simulator in a process of its own."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    world = {"GROUNDSWELL_SIMULATOR_PORT": str(port)} | {f"GROUNDSWELL_SIMULATOR_{source.upper()}_PER_DAY": str(PER_DAY) for source in _SOURCES}
    process = subprocess.Popen([sys.executable, "-m", "groundswell.simulator"], env={**os.environ, **world})
    try:
        while not _is_up(port):
            if process.poll() is not None:
                sys.exit("the simulator did not start: its message is above")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _is_up(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


def steps(table: pa.Table, folder: Path) -> dict[str, float]:
    """CPU seconds of each step over all rows, each fed by the one before; every one starts without anything remembered."""
    from groundswell.duplicates import near_clusters
    from groundswell.hygiene import Hygiene
    from groundswell.language import languages
    from groundswell.params import HygieneParams
    from groundswell.text import fingerprint, normalise, skeleton

    params = HygieneParams()
    languages(["en"], ["the model is loaded once a process, which takes a second"], params)
    taken: dict[str, float] = {}
    with _timed(taken, "scrub text, links and record"):
        clean, _ = Hygiene(params).scrub(table)
    texts, said = clean.column("text").to_pylist(), clean.column("lang").to_pylist()
    with _timed(taken, "normalise"):
        read = [normalise(text) for text in texts]
    with _timed(taken, "language"):
        languages(said, read, params)
    with _timed(taken, "exact hash"):
        for text in read:
            fingerprint(text)
    with _timed(taken, "near duplicates"):
        near_clusters([skeleton(text) for text in read], SIMILARITY)
    with _timed(taken, "parquet"):
        pq.write_table(table, folder / "rows.parquet", compression="zstd")
        pq.read_table(folder / "rows.parquet", use_threads=False)
    return taken


@contextlib.contextmanager
def _timed(taken: dict[str, float], name: str) -> Iterator[None]:
    begun = time.process_time()
    yield
    taken[name] = time.process_time() - begun


def recall(days: int) -> list[Measure]:
    """What of the planted personal data is found in the texts of all topics, and what else is taken for such."""
    from datetime import date

    from groundswell.pii import Scrubber
    from groundswell.simulator.content import posts_of
    from groundswell.simulator.topics import TOPICS

    scrubber, planted, found, wrong, count = Scrubber(), Counter(), Counter(), 0, 0
    for topic in TOPICS:
        for platform in ("steam", "hackernews", "bluesky", "reddit"):
            for day in range(days):
                for post in posts_of(1, platform, topic, date.fromisoformat(_FIRST) + timedelta(days=day), PER_DAY):
                    seen: Counter = Counter()
                    clean = scrubber.scrub(post.text, seen)
                    planted.update(piece.kind for piece in post.planted)
                    found.update(piece.kind for piece in post.planted if piece.value not in clean)
                    if not post.text.isupper():  # what a copy in capitals has in it the simulator no longer knows
                        wrong += (seen - Counter(piece.kind for piece in post.planted) - Counter(mention=seen["mention"])).total()
                    count += 1
    return [
        *(
            Measure(f"planted in {count:,} posts and found: {kind}", found[kind] / planted[kind], f"of {planted[kind]}", floor=1.0)
            for kind in sorted(planted)
        ),
        Measure("taken for personal data, and is none", wrong, "times", floor=0, lower_is_better=True),
    ]


def told() -> list[Measure]:
    """How languages of our own sentences are told when nobody says them, and from their first three words."""
    from groundswell.language import UNKNOWN, languages

    rows = [line.split("\t") for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    short = [" ".join(text.split()[:3]) if " " in text else text[:6] for _, text in rows]
    measures = []
    for name, texts in (("sentences", [text for _, text in rows]), ("their first three words", short)):
        found = languages([None] * len(rows), texts)
        right = sum(one == code for one, (code, _) in zip(found, rows, strict=True))
        wrong = sum(one not in (code, UNKNOWN) for one, (code, _) in zip(found, rows, strict=True))
        measures.append(Measure(f"language told: {name}, right", right, f"of {len(rows)}"))
        measures.append(Measure(f"language told: {name}, wrong", wrong, f"of {len(rows)}", floor=round(0.03 * len(rows)), lower_is_better=True))
    return measures


def near(written: list[str], copies: int = 2_000) -> list[Measure]:
    """Recall of known pairs: texts and copies with a few words changed, of those that are near by their true similarity."""
    from groundswell.duplicates import jaccard, near_clusters, shingles
    from groundswell.text import normalise, skeleton

    chance = random.Random(1)
    texts = sorted({skeleton(normalise(text)) for text in written if text and len(text) > 60})
    words = sorted({word for text in texts for word in text.split()})
    originals = [chance.randrange(len(texts)) for _ in range(copies)]
    changed = [_changed(texts[place], chance, words) for place in originals]
    found = near_clusters(texts + changed, SIMILARITY)
    alike = [jaccard(shingles(texts[place]), shingles(copy)) >= SIMILARITY for place, copy in zip(originals, changed, strict=True)]
    caught = sum(is_near and found[place] == found[len(texts) + number] for number, (place, is_near) in enumerate(zip(originals, alike, strict=True)))
    every = [shingles(text) for text in texts + changed]
    alone = sum(_is_alone(members, every) for members in _clusters(found))
    return [
        Measure(f"near duplicates: pairs with a similarity of {SIMILARITY} found", caught / sum(alike), f"of {sum(alike):,}", floor=0.99),
        Measure("near duplicates: texts in a cluster without a near one there", alone, "texts", floor=0, lower_is_better=True),
    ]


def _changed(text: str, chance: random.Random, words: list[str]) -> str:
    changed = text.split()
    for _ in range(chance.choice((1, 1, 2, 3))):
        changed[chance.randrange(len(changed))] = chance.choice(words)
    return " ".join(changed)


def _clusters(roots: list[int]) -> Iterator[list[int]]:
    members: dict[int, list[int]] = {}
    for place, root in enumerate(roots):
        members.setdefault(root, []).append(place)
    return (places for places in members.values() if len(places) > 1)


def _is_alone(members: list[int], every: list[frozenset]) -> int:
    """How many of a cluster's texts have no other one there that is near by its true similarity."""
    from groundswell.duplicates import jaccard

    return sum(not any(one != other and jaccard(every[one], every[other]) >= SIMILARITY for other in members) for one in members)


def _mean_length(table: pa.Table) -> float:
    lengths = [len(text) for text in table.column("text").to_pylist() if text]
    return round(sum(lengths) / len(lengths), 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=4)
    measures, also = main(parser.parse_args().days)
    sys.exit(finish("hygiene", measures, also=also))
