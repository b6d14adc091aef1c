"""A serving process for 20 minutes under requests of random lengths: does its memory grow? ``make bench-soak``, ``--minutes N`` for less.

A real MLflow server, a real serving process of one worker, 16 connections that never pause, 1 to 16 texts a request of 0 to 2,000 characters,
invented. Resident memory is read every second; growth is the median of the last tenth over the median of the tenth after the warm-up, which
is a fifth of the time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.harness import PROJECT, RESULTS, Measure, finish, shared  # noqa: E402
from benchmarks.load import Load  # noqa: E402
from benchmarks.swap import configure, register  # noqa: E402
from tests.serving.servers import Server, start_mlflow, start_serving  # noqa: E402

CONNECTIONS = 16
REQUESTS = 4000
WORDS = (
    *("good", "bad", "patch", "server", "today", "love", "hate", "crash", "release", "wonderful", "broken"),
    *("@somebody", "https://example.org", "😡", "😀", "מדהים", "素晴らしい"),
)
CHUNK_SECONDS = 20


def requests(seed: int) -> list[bytes]:
    """Requests of random size, whole."""
    chance = random.Random(seed)
    made = []
    for _ in range(REQUESTS):
        texts = [" ".join(chance.choices(WORDS, k=int(chance.lognormvariate(3, 1))))[:2000] for _ in range(chance.choice((1, 1, 1, 2, 4, 16)))]
        body = json.dumps({"texts": texts}).encode()
        made.append(
            b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
    return made


def load(port: int, seed: int, seconds: float) -> tuple[int, int]:
    """(requests, those that did not get 200). Runs in a process of its own, in short turns: it keeps every answer of one."""
    made = Load(port, requests(seed), CONNECTIONS)
    made.closed(seconds)
    made.close()
    return len(made.answers), sum(answer.status != 200 for answer in made.answers)


def soak(serving: Server, minutes: float) -> list[Measure]:
    """Load until the time is over, memory once a second."""
    process, seen, total, failed = psutil.Process(serving.process.pid), [], 0, 0
    deadline, turn = time.monotonic() + 60 * minutes, 0
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        while (left := deadline - time.monotonic()) > 1:
            under_way = pool.submit(load, serving.port, turn, min(CHUNK_SECONDS, left))
            while not under_way.done():
                seen.append(process.memory_info().rss)
                time.sleep(1)
            count, bad = under_way.result()
            total, failed, turn = total + count, failed + bad, turn + 1
    tenth, warm = max(1, len(seen) // 10), len(seen) // 5
    early, late = statistics.median(seen[warm : warm + tenth]), statistics.median(seen[-tenth:])
    return [
        Measure("minutes", minutes),
        Measure("requests", total),
        Measure("requests that did not get 200", failed, floor=0, lower_is_better=True),
        Measure("resident memory after warm-up", early / 1e6, "MB"),
        Measure("resident memory at the end", late / 1e6, "MB"),
        Measure("growth after warm-up", 100 * (late / early - 1), "%", floor=3, lower_is_better=True),
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--tiny", action="store_true", help="a tiny model instead of the real one: does the benchmark work?")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="groundswell-soak-") as name:
        folder = Path(name)
        export = model(folder / "1" / "export", is_tiny=chosen.tiny)
        mlflow = start_mlflow(folder).wait(120)
        try:
            register(mlflow, {"1": export}, folder).set_registered_model_alias("groundswell-sentiment-games", "champion", "1")
            serving = start_serving(folder, mlflow.url).wait(120, "/readyz")
            try:
                measures = soak(serving, chosen.minutes)
            finally:
                status = serving.stop(seconds=60)
        finally:
            mlflow.stop(signal.SIGKILL)
        measures.append(Measure("exit status after SIGTERM", status, floor=0, lower_is_better=True))
        is_whole = chosen.minutes >= 20 and not chosen.tiny
        status = finish("soak", measures, results=RESULTS if is_whole else folder)
    sys.exit(status)


def model(folder: Path, *, is_tiny: bool) -> Path:
    """The export that is served, as one of topic games."""
    if is_tiny:
        from tests.tiny import tiny_export

        return tiny_export(folder, seed=1, steps=20, topic="games")
    from benchmarks.peers.model import bench_export, tweets

    shutil.copytree(bench_export(tweets(shared("tweets", "tweets.csv")), PROJECT / "var" / "bench" / "model"), folder)
    configure(folder, topic="games")
    return folder


if __name__ == "__main__":
    main()
