"""Hot swap and supervision under load: 1,000 moves of the alias between two versions, then SIGKILLs of a worker. ``make bench-swap``.

A real MLflow server, a real serving process of two workers, 64 connections that never pause. Every answer is compared, to the last bit,
with what the offline predictor of the version that it names says. Reads ``../shared/data/tweets`` and the model that bench-serving makes;
with ``--quick`` a tiny model and few moves: it shows that the benchmark works, not how fast anything is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import re
import shutil
import signal
import sys
import tempfile
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.harness import PROJECT, RESULTS, Measure, finish, shared  # noqa: E402
from benchmarks.load import Load  # noqa: E402
from tests.serving.servers import Server, free_port, start_mlflow, start_serving  # noqa: E402

CONNECTIONS = 64
TEXTS = 512
LABELS = ("negative", "neutral", "positive")
RSS_AFTER_SWAPS = 100


@dataclass(frozen=True)
class Scale:
    """How much: moves and seconds between them, seconds of undisturbed load, workers killed, seconds of load around each."""

    moves: int = 1000
    pause_seconds: float = 0.25
    calm_seconds: float = 30
    kills: int = 3
    kill_seconds: float = 15


QUICK = Scale(moves=60, calm_seconds=5, kills=1, kill_seconds=12)


def load(port: int, requests: list[bytes], seconds: float) -> list[tuple]:
    """Keep `CONNECTIONS` connections busy; (text, due, done, status, body) of every request. Runs in a process of its own."""
    made = Load(port, requests, CONNECTIONS)
    made.closed(seconds)
    made.close()
    return [(each.number, each.due, each.done, each.status, each.raw.partition(b"\r\n\r\n")[2]) for each in made.answers]


class Judge:
    """Says of each answer whether it is the one that the version it names gives."""

    def __init__(self, texts: list[str], exports: dict[str, Path]):
        from groundswell.predictor import Predictor

        self._offline = {version: Predictor.load(export).predict(texts) for version, export in exports.items()}
        if np.array_equal(*self._offline.values()):
            sys.exit("The two versions answer alike: nothing would be shown.")

    def wrong(self, answers: list[tuple]) -> int:
        """How many answers of status 200 are not their version's."""
        return sum(status == 200 and not self._is_right(number, body) for number, _, _, status, body in answers)

    def _is_right(self, number: int, body: bytes) -> bool:
        said = json.loads(body)
        (prediction,) = said["predictions"]
        row = np.array([prediction["probabilities"][label] for label in LABELS], dtype=np.float32)
        return said["version"] in self._offline and np.array_equal(row, self._offline[said["version"]][number])


def two_versions(scale: Scale, folder: Path) -> dict[str, Path]:
    """Version 1 as it was trained; version 2 the same network with another temperature: its labels are 1's, its probabilities are not."""
    if scale is QUICK:
        from tests.tiny import tiny_export

        one = tiny_export(folder / "1" / "export", seed=1, steps=20, topic="games")
    else:
        from benchmarks.peers.model import bench_export, tweets

        rows = tweets(shared("tweets", "tweets.csv"))
        one = Path(shutil.copytree(bench_export(rows, PROJECT / "var" / "bench" / "model"), folder / "1" / "export"))
        configure(one, topic="games")
    two = Path(shutil.copytree(one, folder / "2" / "export"))
    configure(two, temperature=2 * json.loads((one / "config.json").read_text(encoding="utf-8"))["temperature"])
    return {"1": one, "2": two}


def configure(export: Path, **changes) -> None:
    """Change config.json, and make golden answers and manifest true again."""
    from groundswell.files import sha256_of, write_json
    from groundswell.predictor import MANIFEST, Predictor

    config = {**json.loads((export / "config.json").read_text(encoding="utf-8")), **changes}
    write_json(config, export / "config.json")
    golden = export / "golden.json"
    if golden.exists():
        texts = json.loads(golden.read_text(encoding="utf-8"))["texts"]
        write_json({"texts": texts, "probabilities": Predictor(export, config).predict(texts).tolist()}, golden)
    write_json({"files": {path.name: sha256_of(path) for path in sorted(export.iterdir()) if path.name != MANIFEST}}, export / MANIFEST)


def register(mlflow: Server, exports: dict[str, Path], folder: Path):
    """A registry client, after registering the exports as versions 1 and 2."""
    from groundswell import registry, tracking
    from groundswell.packaging import log_model
    from groundswell.settings import Settings

    settings = Settings(project=folder, mlflow_uri=mlflow.url)
    for export in exports.values():
        with tracking.run(settings, "games", "benchmark", {}) as run_id:
            source = log_model(settings, run_id, export, metrics={})
        registry.register(settings, "games", source=source, run_id=run_id, tags={})
    return tracking.client(settings)


class Swapping:
    """The servers, and what is asked of them."""

    def __init__(self, scale: Scale, folder: Path, exports: dict[str, Path], texts: list[str], pool: ProcessPoolExecutor):
        self.scale, self.pool, self.judge = scale, pool, Judge(texts, exports)
        self.requests = [request(text) for text in texts]
        self.mlflow = start_mlflow(folder).wait(120)
        self.client = register(self.mlflow, exports, folder)
        self.move("1")
        port = free_port()
        hook = {"serving_webhook_secret": "of-this-benchmark-only", "serving_webhook_url": f"http://127.0.0.1:{port}/hooks/mlflow"}
        settings = {"serving_workers": "2", "serving_threads": "1", "serving_poll_seconds": "1", "serving_shadow_share": "0", "serving_cache": "off"}
        self.serving = start_serving(folder, self.mlflow.url, port, **hook, **settings).wait(120)
        self.until(lambda: len(self.workers_answering()) == 2)

    def stop(self) -> int:
        status = self.serving.stop(seconds=60)
        self.mlflow.stop(signal.SIGKILL)
        return status

    def move(self, version: str) -> None:
        self.client.set_registered_model_alias("groundswell-sentiment-games", "champion", version)

    def until(self, is_so, seconds: float = 60) -> float:
        began = time.perf_counter()
        while not is_so():
            if time.perf_counter() - began > seconds:
                sys.exit(f"Serving did not get there in {seconds} s:\n{self.serving.log.read_text()[-2000:]}")
            time.sleep(0.02)
        return time.perf_counter() - began

    def page(self) -> str:
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(f"{self.serving.url}/metrics", timeout=10).text
        return ""

    def workers_answering(self) -> set[str]:
        """Those that have a model."""
        return set(re.findall(r'groundswell_serving_model\{[^}]*worker="(\d+)"\} 1', self.page()))

    def swaps(self) -> int:
        return int(sum(map(float, re.findall(r"groundswell_serving_swaps_total\{[^}]*\} ([\d.]+)", self.page()))))

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.serving.process.pid).children()

    def rss(self) -> int:
        return sum(process.memory_info().rss for process in self.processes())

    def loaded(self, seconds: float) -> Future:
        return self.pool.submit(load, self.serving.port, self.requests, seconds)

    def both_in_memory(self) -> None:
        """Each version once, so that what is compared later holds what serving always holds: the champion and the one before it."""
        for version in ("2", "1"):
            self.move(version)
            self.until(lambda version=version: self.page().count(f'groundswell_serving_model{{run_id="{self.run_of(version)}"') == 2)

    def run_of(self, version: str) -> str:
        return self.client.get_model_version("groundswell-sentiment-games", version).run_id

    def swap_under_load(self) -> tuple[list[Measure], float]:
        """The measures of moves under load, and the undisturbed p99 in seconds."""
        self.both_in_memory()
        calm = self.loaded(self.scale.calm_seconds).result()
        calm_p99, rss, before = p99(calm), self.rss(), self.swaps()
        under_way = self.loaded(self.scale.moves * (self.scale.pause_seconds + 0.02) + 2)
        grown, began = None, time.perf_counter()
        for number in range(self.scale.moves):
            self.move("12"[(number + 1) % 2])
            if grown is None and number % 10 == 9 and self.swaps() - before >= 2 * RSS_AFTER_SWAPS:
                grown = self.rss() / rss - 1
            time.sleep(max(0.0, began + (number + 1) * self.scale.pause_seconds - time.perf_counter()))
        answers, swaps = under_way.result(), self.swaps() - before
        grown = self.rss() / rss - 1 if grown is None else grown
        failed = sum(each[3] != 200 for each in answers)
        versions = {json.loads(each[4])["version"] for each in answers if each[3] == 200}
        return [
            Measure("alias moves under 64 connections", self.scale.moves, floor=1000 if self.scale.moves >= 1000 else None),
            Measure("swaps seen by the two workers", swaps),
            Measure("versions that answered", len(versions), floor=2),
            Measure("answers meanwhile", len(answers)),
            Measure("failed or dropped requests", failed, floor=0, lower_is_better=True),
            Measure("answers that are not their version's", self.judge.wrong(answers), floor=0, lower_is_better=True),
            Measure("undisturbed p99", 1000 * calm_p99, "ms"),
            Measure("p99 during moves ÷ undisturbed", p99(answers) / calm_p99, floor=2, lower_is_better=True),
            Measure(f"RSS after {RSS_AFTER_SWAPS} swaps a worker", 100 * grown, "%", floor=5, lower_is_better=True),
            Measure("RSS after all of them", 100 * (self.rss() / rss - 1), "%", floor=5, lower_is_better=True),
        ], calm_p99

    def kill_under_load(self) -> list[Measure]:
        """A worker killed under load: how long nobody was answered, until there are two again, and whose requests broke."""
        gaps, backs, lost = [], [], 0
        for _ in range(self.scale.kills):
            self.until(lambda: len(self.workers_answering()) == 2)
            under_way = self.loaded(self.scale.kill_seconds)
            time.sleep(min(3, self.scale.kill_seconds / 4))
            victim = self.processes()[0]
            owned = sum(each.status == "ESTABLISHED" and each.laddr.port == self.serving.port for each in victim.net_connections("tcp"))
            victim.kill()
            killed = time.perf_counter()
            backs.append(
                self.until(lambda gone=victim.pid: gone not in {each.pid for each in self.processes()} and len(self.workers_answering()) == 2)
            )
            answers = under_way.result()
            lost += max(0, sum(each[3] != 200 for each in answers) - owned)
            gaps.append(min(each[2] for each in answers if each[3] == 200 and each[2] > killed) - killed)
        return [
            Measure("SIGKILL of a worker: answering again (worst)", max(gaps), "s", floor=5, lower_is_better=True),
            Measure("SIGKILL of a worker: two workers again (worst)", max(backs), "s"),
            Measure("requests lost that were not the dead worker's", lost, floor=0, lower_is_better=True),
        ]


def request(text: str) -> bytes:
    body = json.dumps({"texts": [text]}).encode()
    return b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def p99(answers: list[tuple]) -> float:
    return float(np.percentile([done - due for _, due, done, status, _ in answers if status == 200], 99))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tiny model, 60 moves, one kill: does the benchmark work?")
    scale = QUICK if parser.parse_args().quick else Scale()
    if scale is QUICK:
        from tests.tiny import tiny_rows

        texts = tiny_rows(TEXTS)[0]
    else:
        from benchmarks.peers.model import tweets

        texts = [text for text, _ in tweets(shared("tweets", "tweets.csv"))[-TEXTS:]]
    with tempfile.TemporaryDirectory(prefix="groundswell-swap-") as name, ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        folder = Path(name)
        swapping = Swapping(scale, folder, two_versions(scale, folder), texts, pool)
        try:
            measures, _ = swapping.swap_under_load()
            measures += swapping.kill_under_load()
        finally:
            status = swapping.stop()
        measures.append(Measure("exit status after SIGTERM", status, floor=0, lower_is_better=True))
        status = finish("swap", measures, results=folder if scale is QUICK else RESULTS)
    sys.exit(status)


if __name__ == "__main__":
    main()
