"""A registry with models in it, for tests: real MLflow on SQLite, tiny real exports, a small data set.

The exports are made once a session; a project with data set and registry is copied, not made, for each test.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from dvc_project import example, make_project, put_dataset, put_day
from tiny import tiny_export, tiny_rows

from groundswell import baseline, packaging, registry, tracking
from groundswell.files import sha256_of, write_json
from groundswell.lake import Lake
from groundswell.schema import POST
from groundswell.settings import Settings
from groundswell.text import fingerprint
from groundswell.versions import directory_md5
from groundswell.window import Window

VERDICT_KEY = "a-key-that-only-the-tests-sign-with"
TEXTS_OF_TRAINING, _ = tiny_rows(40, seed=77)


@cache
def _box() -> Path:
    box = Path(tempfile.mkdtemp(prefix="groundswell-test-models-"))
    atexit.register(shutil.rmtree, box, ignore_errors=True)
    return box


@cache
def export_of(kind: str) -> Path:
    """``good`` and ``better`` have learnt, by different seeds; ``bad`` has not; ``heavy`` has not either, and takes time and memory."""
    seed, steps = {"good": (0, 60), "better": (1, 60), "bad": (3, 0), "heavy": (3, 0)}[kind]
    size = {"layers": 4, "width": 512} if kind == "heavy" else {}
    return tiny_export(_box() / kind / "export", seed=seed, steps=steps, **size)


@cache
def _template() -> Path:
    """A project with a lake, a data set of 240 test rows and an empty registry."""
    settings = make_project(_box() / "template", is_git=False)
    put_day(settings, "2026-10-19", ["a", "b"])
    rows = []
    for number, (text, label) in enumerate(zip(*tiny_rows(400, seed=5), strict=True)):
        rows.append(example(number, f"{text} {number}", int(label), minute=number, source="steam" if number % 4 else "replay"))
    put_dataset(settings, {"train": rows[:120], "validation": rows[120:160], "test": rows[160:]})
    tracking.ensure_experiment(settings, "games")
    return settings.project


def project_with_registry(folder: Path) -> Settings:
    shutil.copytree(_template(), folder)
    return Settings(project=folder, home=Path("var"), mlflow_uri="", dvc_remote="", verdict_key=VERDICT_KEY)


def register(
    settings: Settings,
    kind: str,
    *,
    dataset_md5: str | None = None,
    trained_on: list[str] | None = None,
    champion: bool = False,
    config: dict | None = None,
) -> str:
    """Train nothing, but leave what train leaves: an export, a baseline that guesses, train.json, a run, a version; its number."""
    md5 = dataset_md5 or directory_md5(settings.dataset("games"))
    folder = settings.model("games")
    shutil.rmtree(folder, ignore_errors=True)
    tags = {"topic": "games", "dataset_md5": md5, "git_commit": "c0ffee"}
    with tracking.run(settings, "games", kind, tags) as run_id:
        shutil.copytree(export_of(kind), folder / "export")
        _change_export(folder / "export", {"run_id": run_id, "dataset_md5": md5, **(config or {})}, trained_on or TEXTS_OF_TRAINING)
        tracking.log_json(settings, run_id, json.loads((settings.dataset("games") / "manifest.json").read_text()), "dataset/manifest.json")
        source = packaging.log_model(settings, run_id, folder / "export", metrics={"validation_macro_f1": 0.5})
    version = registry.register(settings, "games", source=source, run_id=run_id, tags=tags).version
    guessing_baseline().save(folder / baseline.FILE)
    write_json({"stage": "train", "topic": "games", "run_id": run_id, "model_version": version, "dataset_md5": md5}, folder / "train.json")
    if champion:
        registry.set_alias(settings, "games", registry.CHAMPION, version)
    return version


@cache
def guessing_baseline() -> baseline.Baseline:
    """A baseline that learnt from shuffled labels."""
    texts, labels = tiny_rows(90, seed=6)
    return baseline.fit(texts, np.random.default_rng(0).permutation(labels), seed=1)


@cache
def knowing_baseline() -> baseline.Baseline:
    """A baseline that knows every word: nothing beats it."""
    return baseline.fit(*tiny_rows(300, seed=8), seed=1)


def _change_export(folder: Path, config: dict, trained_on: list[str]) -> None:
    write_json(json.loads((folder / "config.json").read_text()) | config, folder / "config.json")
    np.save(folder / "trained_on.npy", np.unique(np.array([fingerprint(text) for text in trained_on], dtype=np.uint64)), allow_pickle=False)
    rehash(folder)


def rehash(folder: Path) -> None:
    """Make the export's manifest say what lies there."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: sha256_of(folder / name) for name in manifest["files"]}
    write_json(manifest, folder / "manifest.json")


def artifacts_of(settings: Settings, version: str) -> Path:
    """Where the registry keeps the export of ``version``, to be damaged by a test."""
    found = registry.version_numbered(settings, "games", version)
    [export] = (settings.root / "mlflow" / "artifacts").glob(f"**/{found.model_id}/artifacts/artifacts/export")
    return export


def put_posts(settings: Settings, texts: list[str]) -> None:
    """A day of posts without a label, each by an author of its own: ``steam/games/p000`` and so on."""
    noon = datetime(2026, 10, 19, 12, tzinfo=UTC)
    rows = [
        {"source": "steam", "topic": "games", "post_id": f"p{at:03}", "created_at": noon, "text": text, "author": f"a{at}"}
        for at, text in enumerate(texts)
    ]
    lake, window = Lake(settings.lake), Window.parse("2026-10-19")
    lake.write(lake.partition("valid", "steam", "games", window), pa.Table.from_pylist(rows, schema=POST), {"window": window.key})
