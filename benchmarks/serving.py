"""Serving and its peers side by side, in one run: texts a second, latency, overload, and how far from what the processor could do.

Reads ``../shared/data/tweets``; makes the model once (``var/bench/model``) or takes ``--export FOLDER``. Every peer runs in an environment
of its own below ``var/bench/peers``, made on demand; one that can't be had is said so in the table. Ours is the real process with the
registry gone, its result cache off. Who is not being measured is stopped (SIGSTOP); repeats alternate, and ratios are medians of pairs that
were measured next to each other. What was measured while the hypervisor gave the processors to other machines is measured again, up to three
times in all (`harness.Undisturbed`). Peers over ONNX Runtime have the int8 network that its own tool makes of the same weights, as their users
would; what they would do with ours is measured too. Writes ``benchmarks/results/serving.json`` and ``.md``; ``--quick`` and ``--only`` write nothing.
About 30 minutes on two quiet cores, beside the first run's installations.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))  # before this folder, whose serving.py would hide the package

from benchmarks.harness import RESULTS, Measure, Undisturbed, finish, shared, table  # noqa: E402
from benchmarks.load import Plan, plan_text  # noqa: E402
from benchmarks.peers.catalogue import PEERS, Model, Peer, PeerError  # noqa: E402
from benchmarks.peers.model import bench_export, mean_tokens, operations, ort_export, tweets, write_product  # noqa: E402
from tests.serving.servers import SERVING_PYTHON, Server, free_port, start_mlflow  # noqa: E402

BENCH = PROJECT / "var" / "bench"
TEXTS = 20_000
SINGLE, SIXTEEN, LONE = {"connections": 64, "batch": 1}, {"connections": 8, "batch": 16}, {"connections": 1, "batch": 1}
OPEN_CONNECTIONS = 4096
"""More than a server may keep waiting: past it, requests would wait in here."""

FLOORS = {  # ours ÷ the peer's: (floor, aim) at 64 × 1, and at 8 × 16
    "bare": ((1.2, 1.5), (1.1, 1.3)),
    "mlserver": ((1.7, 2.2), None),
    "bentoml": ((2.3, 3.0), None),
    "mlflow-pyfunc": ((2.5, 3.2), None),
    "infinity-ort": ((3.0, 4.0), None),
    "infinity-torch": ((5.0, 6.0), None),
    "mlflow-transformers": ((12.0, 16.0), None),
    "pipeline": ((16.0, 22.0), None),
    "pipeline-per-core": (None, None),
}


@dataclass(frozen=True)
class Scale:
    """How long everything is measured."""

    rounds: int = 3
    seconds: float = 5
    warm_up_seconds: float = 1
    open_seconds: float = 10
    trial_seconds: float = 3
    """Of each set-up of a peer at each load, to find the best; 0: the first one is taken."""
    raw_texts: int = 4_000
    lone_texts: int = 400
    undisturbed: Undisturbed = field(default_factory=Undisturbed)


QUICK = Scale(
    rounds=1, seconds=1, warm_up_seconds=0.3, open_seconds=2, trial_seconds=0, raw_texts=500, lone_texts=100, undisturbed=Undisturbed(tries=1)
)


@dataclass
class Contender:
    """A server that is measured, and where in the texts its next measurement begins: none is asked the same twice in a row."""

    name: str
    server: Server
    dialect: str
    texts: Path
    expected: Path
    first: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("texts", "right", "malformed", "failed"), 0))
    costs: list[float] = field(default_factory=list)

    def measure(self, scale: Scale, **load) -> dict:
        """One run of the load generator, made again while others have the processors; `PeerError` when it could not go through with it."""
        return scale.undisturbed(lambda: self._measure(scale, load))

    def _measure(self, scale: Scale, load: dict) -> dict:
        plan = Plan(self.server.port, self.dialect, str(self.texts), str(self.expected), first=self.first, **self._times(scale, load), **load)
        command = [sys.executable, str(PROJECT / "benchmarks" / "load.py")]
        done = subprocess.run(command, input=plan_text(plan), capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            raise PeerError(f"{self.name} could not be measured: {done.stderr.strip().splitlines()[-1][:300]}")
        found = json.loads(done.stdout)
        if not found["statuses"].get("200"):
            raise PeerError(f"{self.name} answered nothing in {found['seconds']:.0f} s (statuses {found['statuses']})")
        self.first = (self.first + found["texts"]) % TEXTS
        for name in self.counts:
            self.counts[name] += found[name]
        self.costs.append(found["own_microseconds_per_request"])
        return found

    @staticmethod
    def _times(scale: Scale, load: dict) -> dict[str, float]:
        seconds = {} if "seconds" in load else {"seconds": scale.open_seconds if "rate" in load else scale.seconds}
        return seconds | {"warm_up_seconds": scale.warm_up_seconds}

    @property
    def right_share(self) -> float:
        return self.counts["right"] / self.counts["texts"] if self.counts["texts"] else math.nan

    def suspend(self) -> None:
        self._each(psutil.Process.suspend)

    def resume(self) -> None:
        self._each(psutil.Process.resume)

    def _each(self, what) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.server.process.pid)
            for process in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    what(process)

    def stop(self) -> None:
        """The server and whatever it started, in whatever session that is."""
        self.resume()
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.server.process.pid).children(recursive=True)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.stop(seconds=30)
            for process in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()


@contextlib.contextmanager
def running(contender: Contender) -> Iterator[None]:
    """Only now does it get the processor."""
    contender.resume()
    try:
        yield
    finally:
        contender.suspend()


# --- what is measured ------------------------------------------------------------------------------------------------------------------


def texts_and_labels(rows: list[tuple[str, str]], export: Path, count: int) -> tuple[Path, Path, list[str]]:
    """(file of texts, file of the labels that the offline predictor gives them, the texts); kept while the export is the same."""
    from groundswell.files import sha256_of
    from groundswell.predictor import Predictor

    texts = [text for text, _ in rows[-count:]]
    folder = BENCH / "serving" / f"texts-{count}-{sha256_of(export / 'manifest.json')[:12]}"
    names = folder / "texts.json", folder / "expected.json"
    if not names[1].exists():
        say(f"asking the offline predictor for {count:,} labels …")
        folder.mkdir(parents=True, exist_ok=True)
        predictor = Predictor.load(export, threads=2)
        names[0].write_text(json.dumps(texts), encoding="utf-8")
        labels = [predictor.labels[place] for place in predictor.predict(texts).argmax(axis=1)]
        names[1].write_text(json.dumps(labels), encoding="utf-8")
    return *names, texts


def start_ours(export: Path, folder: Path) -> tuple[Server, Path]:
    """Serving with ``export`` as champion, and the registered model's folder. The registry is gone when this returns."""
    import mlflow

    from groundswell import registry, tracking
    from groundswell.packaging import log_model
    from groundswell.schema import registered_model
    from groundswell.settings import Settings

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    topic = json.loads((export / "config.json").read_text(encoding="utf-8"))["topic"]
    mlflow_server = start_mlflow(folder)
    try:
        settings = Settings(project=folder, mlflow_uri=mlflow_server.wait().url)
        with tracking.run(settings, topic, "benchmark", {}) as run_id:
            source = log_model(settings, run_id, export, metrics={})
        version = registry.register(settings, topic, source=source, run_id=run_id, tags={})
        tracking.client(settings).set_registered_model_alias(registered_model(topic), "champion", version.version)
        registered = Path(mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=str(folder / "registered")))
        server = serving_process(folder, mlflow_server.url, topic).wait(120)
    finally:
        mlflow_server.stop(signal.SIGKILL)
        mlflow.set_tracking_uri(None)
    return server, registered


def serving_process(folder: Path, mlflow_url: str, topic: str) -> Server:
    port = free_port()
    environment = {
        "GROUNDSWELL_HOME": str(folder / "var"),
        "GROUNDSWELL_TOPIC": topic,
        "GROUNDSWELL_MLFLOW_URI": mlflow_url,
        "GROUNDSWELL_SERVING_PORT": str(port),
        "GROUNDSWELL_SERVING_POLL_SECONDS": "3600",
        "GROUNDSWELL_SERVING_CACHE": "off",
        "GROUNDSWELL_SERVING_AUTH": "off",  # no peer asks for a key
    }
    return Server([str(SERVING_PYTHON), "-m", "serving.main"], environment, folder / "serving.log", port, "/readyz")


def raw(scale: Scale, what: str, path: Path, *rest) -> dict[str, float]:
    """One run of ``peers/raw.py``."""
    command = [sys.executable, str(PROJECT / "benchmarks" / "peers" / "raw.py"), what, str(path), *map(str, rest)]
    return scale.undisturbed(lambda: json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))


# --- the three parts -------------------------------------------------------------------------------------------------------------------


def against_raw(ours: Contender, scale: Scale, export: Path) -> dict[str, list[float]]:
    """Round by round: raw and ours next to each other."""
    found: dict[str, list[float]] = {name: [] for name in ("raw", "raw lone", "raw lone paused", "peak", "single", "sixteen", "lone")}
    product = write_product(BENCH / "model" / "product.onnx")
    ways: list[str] = []
    for number in range(scale.rounds):
        answer = raw(scale, "texts", export, ours.texts, number * scale.raw_texts, scale.raw_texts)
        ways.append(max(answer, key=answer.get))
        found["raw"].append(max(answer.values()))
        with running(ours):
            found["sixteen"].append(ours.measure(scale, **SIXTEEN)["texts_per_second"])
            found["single"].append(ours.measure(scale, **SINGLE)["texts_per_second"])
        before = raw(scale, "lone", export, ours.texts, number * scale.lone_texts, scale.lone_texts)
        with running(ours):
            found["lone"].append(ours.measure(scale, **LONE)["latency"]["p50"])
        after = raw(scale, "lone", export, ours.texts, number * scale.lone_texts, scale.lone_texts)
        for name, what in (("raw lone", "without pauses"), ("raw lone paused", "with pauses")):
            found[name].append((before[what] + after[what]) / 2)
        found["peak"].append(raw(scale, "peak", product)["operations_per_second"])
        say(
            f"round {number + 1}: raw {found['raw'][-1]:.0f} texts/s ({ways[-1]}), ours 8 × 16 {found['sixteen'][-1]:.0f}, "
            f"64 × 1 {found['single'][-1]:.0f}; lone {1e3 * found['lone'][-1]:.2f} ms, in-process {1e3 * found['raw lone'][-1]:.2f} ms"
        )
    return found


def under_open_load(ours: Contender, scale: Scale) -> dict[str, list[dict]]:
    """Poisson arrivals at half, at four fifths and at twice the capacity, round by round; in each answer the capacity and the lone request's
    p50 that were measured just before: a shared machine's speed a minute ago is no capacity.
    """
    found: dict[str, list[dict]] = {"50 %": [], "80 %": [], "2 ×": []}
    with running(ours):
        for number in range(scale.rounds):
            for name, share in (("50 %", 0.5), ("80 %", 0.8), ("2 ×", 2.0)):
                lone = ours.measure(scale, **LONE)["latency"]["p50"]
                capacity = ours.measure(scale, **SINGLE)["texts_per_second"]
                answer = ours.measure(scale, connections=OPEN_CONNECTIONS, rate=share * capacity, seed=number + 1)
                found[name].append(answer | {"capacity": capacity, "lone": lone})
                say(
                    f"open loop at {name} of {capacity:.0f} texts/s: {answer['texts_per_second']:.0f} texts/s, p99 "
                    f"{_milliseconds(answer['latency']['p99'])} (lone p50 {_milliseconds(lone)}), statuses {answer['statuses']}, "
                    f"refused p99 {_milliseconds(answer['refused']['p99'])}"
                )
    return found


@dataclass
class Standing:
    """A peer's line of the table; with ``trouble``, why there is none."""

    peer: str
    version: str = ""
    setup: str = ""
    single: float = math.nan
    sixteen: float = math.nan
    lone_seconds: float = math.nan
    right_share: float = math.nan
    failed: int = 0
    ratios: dict[str, float] = field(default_factory=dict)
    with_our_network: dict[str, float] = field(default_factory=dict)
    """Its texts/s with our int8 network, and ours over that: one pair a load."""
    trouble: str = ""


def against_peer(ours: Contender, peer: Peer, scale: Scale, model: Model, own: Model) -> Standing:
    """Install it, find its best set-up, then ours and it in turns; where it runs int8, a turn each with the networks of ``own`` in it too."""
    standing = Standing(peer.name)
    contender = None
    try:
        say(f"{peer.name}: its environment …")
        standing.version = f"{peer.package} {peer.install()}"
        standing.setup = best_setup(ours, peer, scale, model)
        contender = start(ours, peer, standing.setup, model)
        single, sixteen, lone = [], [], []
        for _ in range(scale.rounds):
            single.append(pair(contender, ours, scale, SINGLE))
            sixteen.append(pair(contender, ours, scale, SIXTEEN))
            with running(contender):
                lone.append(contender.measure(scale, **LONE)["latency"]["p50"])
        standing.single, standing.sixteen = (statistics.median(theirs for theirs, _ in pairs) for pairs in (single, sixteen))
        standing.lone_seconds = statistics.median(lone)
        standing.ratios = {name: ratio_of_pairs(pairs) for name, pairs in (("64 × 1", single), ("8 × 16", sixteen))}
        standing.right_share = contender.right_share
        standing.failed = contender.counts["failed"] + contender.counts["malformed"]
        if peer.runs_int8:
            contender.stop()
            contender = start(ours, peer, standing.setup, own)
            for name, load in (("64 × 1", SINGLE), ("8 × 16", SIXTEEN)):
                theirs, mine = pair(contender, ours, scale, load)
                standing.with_our_network |= {name: theirs, f"ours ÷ it, {name}": mine / theirs}
        say(f"{peer.name}: {standing.single:.0f} / {standing.sixteen:.0f} texts/s, lone {1e3 * standing.lone_seconds:.2f} ms ({standing.setup})")
    except (PeerError, subprocess.TimeoutExpired) as error:
        standing.trouble = str(error)
        say(f"{peer.name}: NOT MEASURED: {standing.trouble}")
    finally:
        if contender:
            contender.stop()
    return standing


def best_setup(ours: Contender, peer: Peer, scale: Scale, model: Model) -> str:
    """The set-up with the largest geometric mean of both loads; the only one, or the first in a quick run, unmeasured."""
    if len(peer.setups) == 1 or not scale.trial_seconds:
        return next(iter(peer.setups))
    found: dict[str, float] = {}
    for setup in peer.setups:
        contender = start(ours, peer, setup, model)
        try:
            rates = [contender.measure(scale, seconds=scale.trial_seconds, **load)["texts_per_second"] for load in (SINGLE, SIXTEEN)]
        finally:
            contender.stop()
        found[setup] = math.sqrt(rates[0] * rates[1])
        say(f"{peer.name}, {setup}: {rates[0]:.0f} / {rates[1]:.0f} texts/s")
    return max(found, key=found.get)


def start(ours: Contender, peer: Peer, setup: str, model: Model) -> Contender:
    server = peer.start(setup, model, BENCH / "serving" / f"{peer.name}.log")
    return Contender(peer.name, server, peer.dialect, ours.texts, ours.expected)


def pair(peer: Contender, ours: Contender, scale: Scale, load: dict) -> tuple[float, float]:
    """(theirs, ours) in texts a second, one after the other."""
    with running(peer):
        theirs = peer.measure(scale, **load)["texts_per_second"]
    with running(ours):
        return theirs, ours.measure(scale, **load)["texts_per_second"]


# --- what it comes to ------------------------------------------------------------------------------------------------------------------


def ratio_of_pairs(pairs: Sequence[tuple[float, float]]) -> float:
    """The median of the second over the first."""
    return statistics.median(mine / theirs if theirs else math.inf for theirs, mine in pairs)


def measures_of_speed(found: dict[str, list[float]], operations_per_text: float) -> list[Measure]:
    def over(name: str, base: str) -> float:
        return ratio_of_pairs(list(zip(found[base], found[name], strict=True)))

    peak = max(found["peak"])
    return [
        Measure("raw ONNX Runtime, batches of 32 sorted by length", statistics.median(found["raw"]), "texts/s"),
        Measure("16 texts a request, 8 connections", statistics.median(found["sixteen"]), "texts/s"),
        Measure("one text a request, 64 connections", statistics.median(found["single"]), "texts/s"),
        Measure("one text, one connection: p50", 1e3 * statistics.median(found["lone"]), "ms"),
        Measure("16 texts a request, 8 connections ÷ raw", over("sixteen", "raw"), "", floor=0.85, aim=0.95),
        Measure("one text a request, 64 connections ÷ raw", over("single", "raw"), "", floor=0.75, aim=0.90),
        Measure("lone p50 ÷ in-process batch of one", over("lone", "raw lone"), "", floor=1.35, aim=1.15, lower_is_better=True),
        Measure("the same where the batch of one has a client's pauses", over("lone", "raw lone paused"), ""),
        Measure("int8 peak of the machine", peak / 1e12, "Top/s"),
        Measure("raw: useful arithmetic ÷ int8 peak", 100 * operations_per_text * statistics.median(found["raw"]) / peak, "%"),
        Measure(
            "8 × 16: useful arithmetic ÷ int8 peak", 100 * operations_per_text * statistics.median(found["sixteen"]) / peak, "%", floor=27, aim=40
        ),
    ]


def measures_of_open_load(found: dict[str, list[dict]]) -> list[Measure]:
    def median(name: str, *keys: str, by: str | None = None) -> float:
        values = []
        for answer in found[name]:
            value = answer
            for key in keys:
                value = value[key]
            values.append(math.nan if value is None else value / (answer[by] if by else 1))
        return statistics.median(values)

    overload = found["2 ×"]
    refused = sum(answer["refused"]["count"] for answer in overload)
    told = sum(answer["refused"]["with_retry_after"] for answer in overload)
    grows = statistics.median(_ratio(answer["latency_second_half"]["p99"], answer["latency_first_half"]["p99"]) for answer in overload)
    return [
        Measure("open loop at 50 %: p99 ÷ lone p50", median("50 %", "latency", "p99", by="lone"), "", floor=6, aim=4, lower_is_better=True),
        Measure("open loop at 80 %: p99 ÷ lone p50", median("80 %", "latency", "p99", by="lone"), "", floor=15, aim=8, lower_is_better=True),
        Measure("2 × overload: goodput ÷ capacity", median("2 ×", "texts_per_second", by="capacity"), "", floor=0.95, aim=0.98),
        Measure(
            "2 × overload: neither answered nor refused", sum(answer["failed"] for answer in overload), "requests", floor=0, lower_is_better=True
        ),
        Measure("2 × overload: 429 with Retry-After", 100 * told / refused if refused else math.nan, "%", floor=100),
        Measure("2 × overload: p99 of the admitted", 1e3 * median("2 ×", "latency", "p99"), "ms"),
        Measure("2 × overload: the same, second half ÷ first", grows, "", floor=1.25, lower_is_better=True),
        Measure("2 × overload: p50 of the refused", 1e3 * median("2 ×", "refused", "p50"), "ms"),
        Measure("2 × overload: p99 of the refused", 1e3 * median("2 ×", "refused", "p99"), "ms"),
        Measure(
            "2 × overload: p99 of the refused ÷ of the admitted",
            _ratio(median("2 ×", "refused", "p99"), median("2 ×", "latency", "p99")),
            "",
            floor=1,
            lower_is_better=True,
        ),
    ]


def measures_of_peers(standings: Sequence[Standing]) -> list[Measure]:
    """Ours over each that could be measured; the others are in the peers' own table."""
    found = []
    for standing in standings:
        for load, marks in zip(("64 × 1", "8 × 16"), FLOORS[standing.peer], strict=True):
            if load in standing.ratios:
                floor, aim = marks or (None, None)
                found.append(Measure(f"ours ÷ {standing.peer}, {load}", standing.ratios[load], "", floor=floor, aim=aim))
    return found


def measures_of_answers(ours: Contender) -> list[Measure]:
    wrong = ours.counts["texts"] - ours.counts["right"]
    return [
        Measure("labels that differ from the offline predictor's", wrong, f"of {ours.counts['texts']:,}", floor=0, lower_is_better=True),
        Measure("answers malformed or failed", ours.counts["malformed"] + ours.counts["failed"], "", floor=0, lower_is_better=True),
        Measure("load generator's own cost", statistics.median(ours.costs), "µs a request"),
    ]


def markdown(ours: Standing, standings: Sequence[Standing]) -> str:
    """The table of peers as the README shows it."""
    lines = [
        "| | texts/s, 64 connections × 1 text | 8 × 16 texts | one text, p50 | ours ÷ it | labels as offline | with our int8 network | set-up |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for each in (ours, *standings):
        if each.trouble:
            lines.append(f"| {each.peer} | not measured: {each.trouble.replace('|', '/')} | | | | | | |")
            continue
        ratios = " / ".join(f"{ratio:.2f}" for ratio in each.ratios.values())
        failed = f", {each.failed} failed" if each.failed else ""
        other = [each.with_our_network.get(name, math.nan) for name in ("64 × 1", "8 × 16", "ours ÷ it, 64 × 1", "ours ÷ it, 8 × 16")]
        other = f"{other[0]:.0f} / {other[1]:.0f} (ours ÷ it {other[2]:.2f} / {other[3]:.2f})" if each.with_our_network else ""
        lines.append(
            f"| {each.peer} ({each.version}) | {each.single:.0f} | {each.sixteen:.0f} | {1e3 * each.lone_seconds:.1f} ms | {ratios} "
            f"| {100 * each.right_share:.1f} %{failed} | {other} | {each.setup} |"
        )
    return "\n".join(lines)


def _ratio(one: float | None, other: float | None) -> float:
    return one / other if one is not None and other else math.nan


def _milliseconds(seconds: float | None) -> str:
    return "none" if seconds is None else f"{1e3 * seconds:.1f} ms"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# --- the run ---------------------------------------------------------------------------------------------------------------------------


def run(corpus: Path, export: Path | None, names: Sequence[str], scale: Scale, count: int) -> tuple[list[Measure], Standing, list[Standing]]:
    rows = tweets(corpus)
    made = bench_export(rows, BENCH / "model")
    export = export or made
    texts, expected, asked = texts_and_labels(rows, export, count)
    server, registered = start_ours(export, BENCH / "serving" / "ours")
    ours = Contender("ours", server, "groundswell", texts, expected)
    measures: list[Measure] = []
    mine = Standing("Groundswell", version="this commit", setup="as it starts by itself, cache off")
    try:
        ours.suspend()
        speed = against_raw(ours, scale, export)
        mine.single, mine.sixteen, mine.lone_seconds = (statistics.median(speed[name]) for name in ("single", "sixteen", "lone"))
        per_token, per_text = operations(export / "model.onnx")
        measures += measures_of_speed(speed, per_token * mean_tokens(asked, export) + per_text)
        measures += measures_of_open_load(under_open_load(ours, scale))
        own = Model(export, BENCH / "model" / "hf", registered)
        model = own.with_network_of(ort_export(export), BENCH / "serving" / "registered-ort")
        standings = [against_peer(ours, peer, scale, model, own) for peer in PEERS if peer.name in names]
        mine.right_share, mine.failed = ours.right_share, ours.counts["failed"] + ours.counts["malformed"]
        return [*measures, *measures_of_peers(standings), *measures_of_answers(ours), *scale.undisturbed.measures()], mine, standings
    finally:
        ours.stop()


def _allow_open_files(count: int) -> None:
    """As many as the overload needs, here and in every process started from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [peer.name for peer in PEERS]
    parser.add_argument("--export", type=Path, help="an export folder to serve instead of the benchmark's own model; torch peers keep that one")
    parser.add_argument("--only", help=f"peers, by comma: ours (no peer), {', '.join(every)}")
    parser.add_argument("--rounds", type=int, default=Scale.rounds)
    parser.add_argument("--quick", action="store_true", help="does it work? The numbers mean nothing")
    chosen = parser.parse_args()
    names = [name for name in (chosen.only.split(",") if chosen.only else every) if name != "ours"]
    if unknown := set(names) - set(every):
        parser.error(f"no such peer: {', '.join(sorted(unknown))}; there are ours, {', '.join(every)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of every `finally`: servers must not outlive this
    _allow_open_files(2 * OPEN_CONNECTIONS)
    scale = QUICK if chosen.quick else Scale(rounds=chosen.rounds)
    began = time.monotonic()
    measures, mine, standings = run(shared("tweets", "tweets.csv"), chosen.export, names, scale, 2_000 if chosen.quick else TEXTS)
    said = markdown(mine, standings)
    print(said + f"\n\n{(time.monotonic() - began) / 60:.1f} minutes\n")
    if chosen.quick or chosen.only or chosen.export:
        print(table(measures))
        return int(any(measure.is_missed for measure in measures))
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "serving.md").write_text(said + "\n", encoding="utf-8")
    # what could not be measured is null: JSON has no NaN
    table_of_peers = [{name: None if value != value else value for name, value in asdict(each).items()} for each in (mine, *standings)]
    return finish("serving", measures, also={"peers": table_of_peers})


if __name__ == "__main__":
    sys.exit(main())
