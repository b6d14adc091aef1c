"""The peers: what each is, the set-ups in which it is tried, and how it is started.

Writes each peer's environment (``NAME.txt`` pins it) and working folder below ``var/bench/peers``. A peer that can't be installed or does
not come up raises `PeerError`, for the table to say. Set-ups are what a peer's documentation recommends for throughput on few cores: a
process a core with one thread each, or one process whose threads share a call; the better of them counts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from groundswell.predictor import MANIFEST
from tests.serving.servers import Server, free_port

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
CORES = len(os.sched_getaffinity(0))

_INSTALL_SECONDS = 900
_START_SECONDS = 180


class PeerError(Exception):
    """A peer that is not there to be measured, and why."""


@dataclass(frozen=True)
class Model:
    """The same weights in every form that a peer takes them in."""

    export: Path
    checkpoint: Path
    registered: Path
    """The registered pyfunc, as `groundswell.packaging` logs it."""

    def with_network_of(self, export: Path, folder: Path) -> Model:
        """The same with the networks of ``export``; writes the pyfunc anew to ``folder``."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.registered, folder)
        (logged,) = (path.parent for path in folder.rglob(MANIFEST))
        shutil.rmtree(logged)
        shutil.copytree(export, logged)
        return Model(export, self.checkpoint, folder)


@dataclass(frozen=True)
class Launch:
    """``command`` is looked for in the peer's environment first."""

    command: list[str]
    health: str
    environment: dict[str, str]


@dataclass(frozen=True)
class Peer:
    """``setups``: name → what starts it, given the model, its own folder and a port."""

    name: str
    environment: str
    package: str
    """Whose version the table gives."""
    dialect: str
    setups: dict[str, Callable[[Model, Path, int], Launch]]
    runs_int8: bool = True
    """Whether it runs an export's int8 network; else a torch checkpoint."""

    @property
    def home(self) -> Path:
        """Its virtual environment."""
        return PROJECT / "var" / "bench" / "peers" / self.environment

    def install(self) -> str:
        """Make the environment if its pins have changed or it is not there; the version of ``package`` in it."""
        pins, marker = HERE / f"{self.environment}.txt", self.home / "pins"
        if not marker.exists() or marker.read_bytes() != pins.read_bytes():
            uv, python = PROJECT / ".venv" / "bin" / "uv", self.home / "bin" / "python"
            links = _find_links()
            where = ["--find-links", links] if links else ["--torch-backend", "cpu"]
            _run([uv, "venv", "--quiet", "--clear", "--python", "3.11", self.home])
            _run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *where, "-r", pins])
            marker.write_bytes(pins.read_bytes())
        return _run([self.home / "bin" / "python", "-c", f"from importlib.metadata import version; print(version({self.package!r}))"]).strip()

    def start(self, setup: str, model: Model, log: Path) -> Server:
        """The running peer; its processes are those of one session."""
        port = free_port()
        folder = PROJECT / "var" / "bench" / "peers" / "work" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        launch = self.setups[setup](model, folder, port)
        quiet = {"DO_NOT_TRACK": "1", "BENTOML_DO_NOT_TRACK": "True", "HF_HUB_OFFLINE": "1", "ORT_DISABLE_TELEMETRY": "1"}
        path = {"PATH": f"{self.home / 'bin'}:{os.environ['PATH']}", "HF_HOME": str(folder / "hub")}
        log.unlink(missing_ok=True)
        server = Server(launch.command, quiet | path | launch.environment, log, port, launch.health)
        try:
            return server.wait(_START_SECONDS)
        except BaseException as error:
            server.stop()
            if not isinstance(error, AssertionError):
                raise
            raise PeerError(f"{self.name} ({setup}) did not come up: {str(error).splitlines()[-1][:200]}; {log} has the rest") from None


def _find_links() -> str:
    """Where pip of this machine finds wheels beside the index: uv does not read pip's configuration."""
    asked = subprocess.run(["python3.11", "-m", "pip", "config", "get", "global.find-links"], capture_output=True, text=True, check=False)
    return (asked.stdout.split() or os.environ.get("PIP_FIND_LINKS", "").split() or [""])[0]


def _run(command: list) -> str:
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True, timeout=_INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        raise PeerError(f"{' '.join(map(str, command[:4]))} … failed: {(error.stderr.strip().splitlines() or ['no message'])[-1][:300]}") from None
    except subprocess.TimeoutExpired:
        raise PeerError(f"{' '.join(map(str, command[:4]))} … took more than {_INSTALL_SECONDS} s") from None
    return done.stdout


def _threads(count: int) -> dict[str, str]:
    """What OpenMP (torch), and our own apps, are told."""
    return {"OMP_NUM_THREADS": str(count), "PEER_THREADS": str(count)}


def _uvicorn(app: str, workers: int, threads: int, environment: Callable[[Model], dict[str, str]]) -> Callable[[Model, Path, int], Launch]:
    def launch(model: Model, _folder: Path, port: int) -> Launch:
        command = ["uvicorn", app, "--app-dir", str(HERE), "--port", str(port), "--workers", str(workers)]
        return Launch([*command, "--no-access-log", "--log-level", "warning"], "/health", _threads(threads) | environment(model))

    return launch


def _bare(endpoint: str) -> Callable[[Model, Path, int], Launch]:
    return _uvicorn("bare_app:app", CORES, 1, lambda model: {"PEER_EXPORT": str(model.export), "PEER_ENDPOINT": endpoint})


def _pipeline(workers: int, threads: int) -> Callable[[Model, Path, int], Launch]:
    return _uvicorn("pipeline_app:app", workers, threads, lambda model: {"PEER_CHECKPOINT": str(model.checkpoint)})


def _mlserver(workers: int, threads: int, batch: int) -> Callable[[Model, Path, int], Launch]:
    def launch(model: Model, folder: Path, port: int) -> Launch:
        server = {"host": "127.0.0.1", "http_port": port, "grpc_port": free_port(), "metrics_endpoint": None, "debug": False}
        server |= {"parallel_workers": workers}
        runtime = {"name": "sentiment", "implementation": "mlserver_runtime.Sentiment", "parameters": {"uri": str(model.export)}}
        if batch:
            runtime |= {"max_batch_size": batch, "max_batch_time": 0.005}
        (folder / "settings.json").write_text(json.dumps(server), encoding="utf-8")
        (folder / "model-settings.json").write_text(json.dumps(runtime), encoding="utf-8")
        return Launch(["mlserver", "start", str(folder)], "/v2/models/sentiment/ready", _threads(threads) | {"PYTHONPATH": str(HERE)})

    return launch


def _bentoml(workers: int, threads: int) -> Callable[[Model, Path, int], Launch]:
    def launch(model: Model, folder: Path, port: int) -> Launch:
        command = ["bentoml", "serve", "bentoml_service:Sentiment", "--working-dir", str(HERE), "--host", "127.0.0.1", "--port", str(port)]
        own = {"PEER_EXPORT": str(model.export), "PEER_WORKERS": str(workers), "BENTOML_HOME": str(folder)}
        return Launch(command, "/readyz", _threads(threads) | own)

    return launch


def _mlflow(workers: int, threads: int, folder_of: Callable[[Model, Path], Path]) -> Callable[[Model, Path, int], Launch]:
    def launch(model: Model, folder: Path, port: int) -> Launch:
        command = ["mlflow", "models", "serve", "-m", str(folder_of(model, folder)), "--env-manager", "local", "--host", "127.0.0.1"]
        return Launch([*command, "--port", str(port), "--workers", str(workers)], "/ping", _threads(threads) | {"MLFLOW_DISABLE_TELEMETRY": "true"})

    return launch


def _transformers_flavour(model: Model, folder: Path) -> Path:
    saved = folder / "model"
    shutil.rmtree(saved, ignore_errors=True)
    python = PROJECT / "var" / "bench" / "peers" / "mlflow-transformers" / "bin" / "python"
    _run([python, HERE / "save_transformers.py", model.checkpoint, saved])
    return saved


def _name_tokenizer(path: Path) -> None:
    """Transformers 5 names a class that infinity's transformers 4 has not; the file means the same under its old name."""
    config = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    path.write_text(json.dumps(config), encoding="utf-8")


def _infinity(engine: str) -> Callable[[Model, Path, int], Launch]:
    def launch(model: Model, folder: Path, port: int) -> Launch:
        own = folder / "model"
        shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(model.checkpoint, own)
        _name_tokenizer(own / "tokenizer_config.json")
        if engine == "optimum":
            shutil.copyfile(model.export / "model.int8.onnx", own / "model_quantized.onnx")
        # by its absolute path, optimum does not find the network that infinity names
        command = [
            "env",
            f"--chdir={own}",
            "infinity_emb",
            "v2",
            "--model-id",
            ".",
            "--served-model-name",
            "sentiment",
            "--engine",
            engine,
            "--device",
            "cpu",
        ]
        command += ["--batch-size", "32", "--no-bettertransformer", "--no-model-warmup", "--dtype", "float32", "--log-level", "warning"]
        command += ["--onnx-disable-optimize"] if engine == "optimum" else []  # the network is int8 already: its optimiser takes fp32
        return Launch([*command, "--host", "127.0.0.1", "--port", str(port)], "/health", _threads(CORES))

    return launch


_EACH = f"{CORES} processes, 1 thread each"
_ONE = f"1 process, {CORES} threads"


def _registered(model: Model, _folder: Path) -> Path:
    return model.registered


PEERS = (
    Peer("bare", "bare", "fastapi", "labels", {f"{_EACH}, async endpoint": _bare("async"), f"{_EACH}, def endpoint": _bare("def")}),
    Peer(
        "mlserver",
        "mlserver",
        "mlserver",
        "open inference",
        {
            f"{_EACH}, batches of 32 or 5 ms": _mlserver(CORES, 1, 32),
            f"{_ONE}, batches of 32 or 5 ms": _mlserver(0, CORES, 32),
            f"{_EACH}, no batching": _mlserver(CORES, 1, 0),
        },
    ),
    Peer("bentoml", "bentoml", "bentoml", "labels", {f"{_EACH}, batchable": _bentoml(CORES, 1), f"{_ONE}, batchable": _bentoml(1, CORES)}),
    Peer("mlflow-pyfunc", "mlflow-pyfunc", "mlflow", "mlflow table", {_EACH: _mlflow(CORES, 1, _registered), _ONE: _mlflow(1, CORES, _registered)}),
    Peer("infinity-ort", "infinity", "infinity-emb", "infinity", {"engine optimum, int8": _infinity("optimum")}),
    Peer("infinity-torch", "infinity", "infinity-emb", "infinity", {"engine torch, fp32": _infinity("torch")}, runs_int8=False),
    Peer(
        "mlflow-transformers",
        "mlflow-transformers",
        "mlflow",
        "mlflow list",
        {_EACH: _mlflow(CORES, 1, _transformers_flavour), _ONE: _mlflow(1, CORES, _transformers_flavour)},
        runs_int8=False,
    ),
    # as the guides show it, one process, and as who reads on would run it
    Peer("pipeline", "pipeline", "transformers", "labels", {_ONE: _pipeline(1, CORES)}, runs_int8=False),
    Peer("pipeline-per-core", "pipeline", "transformers", "labels", {_EACH: _pipeline(CORES, 1)}, runs_int8=False),
)
