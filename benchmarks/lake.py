"""The lake at scale: collect, validate and prepare over a year of days, from 100 thousand posts to ten million, and a day of a million.

Makes a corpus of the size with the simulator's generator, every post written by it, 2 % of them with their label. Its rows lie in no
order of time: each stretch of the file has posts of every day, so that sorting them is as hard as it gets. Every stage runs as the
command a person would call, in a process of its own: its peak memory is what the kernel says of that process, its cost the CPU time of
user and system, which neighbours disturb less than the clock. Ten million take an hour on two quiet cores: ``--sizes 100000 1000000``
compares those; ``--sizes 100000`` alone tries it and writes no results.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from harness import PROJECT, Measure, finish

FIRST = date(2025, 1, 1)
DAYS = 365
SIZES = (100_000, 1_000_000, 10_000_000)
MOST_GB, MOST_RATIO = 2.0, 1.2
_BLOCK = 100_000
_LABELLED_ONE_IN = 50
_SCHEMA = pa.schema({"id": pa.string(), "time": pa.timestamp("us", tz="UTC"), "text": pa.string(), "who": pa.string(), "label": pa.string()})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--one-day", type=int, default=1_000_000, help="posts of the day that has many; 0: none")
    arguments = parser.parse_args()
    runs = {f"{size:,} posts, {DAYS} days": year_of(size) for size in arguments.sizes}
    if arguments.one_day:
        runs[f"{arguments.one_day:,} posts, 1 day"] = through(arguments.one_day, 1, ("collect", "validate"))
    print(told(runs))
    if len(arguments.sizes) == 1:
        return 0
    return finish("lake", measures(runs, sorted(arguments.sizes)), also={"runs": runs})


def year_of(size: int) -> dict[str, dict]:
    return through(size, DAYS, ("collect", "validate", "prepare"))


def through(size: int, days: int, stages: tuple[str, ...]) -> dict[str, dict]:
    """Stage → seconds of CPU and of the clock, peak memory; the folder is gone afterwards."""
    folder = PROJECT / "var" / "bench" / "lake"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        make_corpus(folder / "corpus.parquet", size, days)
        columns = {"post_id": "id", "created_at": "time", "text": "text", "author": "who", "label": "label"}
        params = {"topic": "games", "topics": {"games": {"replay": {"path": "corpus.parquet", "columns": columns}}}}
        (folder / "params.yaml").write_text(json.dumps(params))
        windows = f"{FIRST}..{FIRST + timedelta(days=days - 1)}"
        arguments = {"collect": ["--source", "replay", "--window", windows], "validate": ["--window", windows], "prepare": []}
        found = {stage: measured([stage, *arguments[stage]], folder, size) for stage in stages}
        lake = sum(path.stat().st_size for path in (folder / "var" / "lake").rglob("*.parquet"))
        return found | {"bytes_per_post": {"lake": round(lake / size)}}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measured(command: list[str], folder: Path, size: int) -> dict:
    environment = {**os.environ, "GROUNDSWELL_PROJECT": str(folder), "GROUNDSWELL_PSEUDONYM_KEY": "a-key-of-the-benchmark-only"}
    began = time.perf_counter()
    with open(folder / "said", "w+") as said:
        process = subprocess.Popen([sys.executable, "-m", "groundswell.cli", *command], env=environment, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        said.seek(0)
        if status:
            raise SystemExit(f"{command[0]} failed on {size:,} posts:\n{said.read()[-2000:]}")
    cpu, clock = usage.ru_utime + usage.ru_stime, time.perf_counter() - began
    found = {"cpu_seconds": round(cpu, 1), "seconds": round(clock, 1), "peak_gb": round(usage.ru_maxrss / 2**20, 3)}
    found["cpu_us_per_post"] = round(cpu / size * 1e6, 1)
    print(f"{size:,} posts: {command[0]}: {found}", flush=True)
    return found


def make_corpus(path: Path, size: int, days: int) -> None:
    """Write ``size`` posts of ``days`` days, a few of each day at a time."""
    sys.path.insert(0, str(PROJECT / "src"))
    from groundswell.simulator.content import stream

    each = -(-size // days)
    streams = [islice(stream(1, "corpus", "games", FIRST + timedelta(days=day), round(1.2 * each) + 5), each) for day in range(days)]
    at_once, left = max(1, _BLOCK // days), size
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
        while left:
            posts = [post for one in streams for post in islice(one, at_once)][:left]
            writer.write_table(_table(posts))
            left -= len(posts)


def _table(posts: list) -> pa.Table:
    labels = [post.sentiment if post.post_id // 2 % _LABELLED_ONE_IN == 0 else None for post in posts]
    columns = {"id": [str(post.post_id) for post in posts], "time": [post.moment for post in posts], "text": [post.text for post in posts]}
    return pa.table({**columns, "who": [post.author for post in posts], "label": labels}, schema=_SCHEMA)


def measures(runs: dict[str, dict], sizes: list[int]) -> list[Measure]:
    """Peaks of every run and stage; what a post costs in the largest year as a share of what it costs in the smallest."""
    found = [
        Measure(f"{stage}, {name}: peak memory", one["peak_gb"], "GB", floor=MOST_GB, lower_is_better=True)
        for name, stages in runs.items()
        for stage, one in stages.items()
        if "peak_gb" in one
    ]
    small, large = (runs[f"{size:,} posts, {DAYS} days"] for size in (sizes[0], sizes[-1]))
    for stage in ("collect", "validate", "prepare"):
        ratio = round(large[stage]["cpu_us_per_post"] / small[stage]["cpu_us_per_post"], 3)
        found.append(Measure(f"{stage}: cost of a post at {sizes[-1]:,} ÷ at {sizes[0]:,}", ratio, floor=MOST_RATIO, lower_is_better=True))
    return found


def told(runs: dict[str, dict]) -> str:
    """The runs as a table of Markdown."""
    lines = ["| posts | stage | CPU µs a post | minutes | peak GB |", "|---|---|---|---|---|"]
    for name, stages in runs.items():
        for stage, one in stages.items():
            if "peak_gb" in one:
                lines.append(f"| {name} | {stage} | {one['cpu_us_per_post']} | {one['seconds'] / 60:.1f} | {one['peak_gb']:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
