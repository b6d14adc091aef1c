"""A DVC project in a temporary folder, with the repository's own dvc.yaml, and a small lake and data set in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import yaml

from groundswell.files import write_json
from groundswell.lake import Lake, write_parquet
from groundswell.schema import EXAMPLE, POST
from groundswell.settings import Settings
from groundswell.window import Window

REPOSITORY = Path(__file__).parent.parent


def make_project(folder: Path, *, is_git: bool = True) -> Settings:
    """A copy of what makes the repository a DVC project; its state is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(REPOSITORY / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache", "config.local"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", "params.yaml"):
        shutil.copy(REPOSITORY / name, folder / name)
    for stage in yaml.safe_load((folder / "dvc.yaml").read_text())["stages"].values():
        for name in stage["deps"]:
            if name.startswith("src/"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / name, folder / name)
    if is_git:
        git(folder, "init", "-q", "-b", "main")
        git(folder, "add", "-A")
        git(folder, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "start")
    return Settings(project=folder, home=Path("var"), mlflow_uri="", dvc_remote="")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def dvc(settings: Settings, *arguments: str) -> str:
    """What DVC's own command line prints in the project, with `groundswell` on its path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(command, cwd=settings.project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def post(number: int, day: str, text: str, *, topic: str = "games", source: str = "replay") -> dict:
    """A canonical post."""
    created = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    row = dict.fromkeys(POST.names)
    row |= {"source": source, "topic": topic, "post_id": str(number), "created_at": created, "text": text, "label": "neutral"}
    return row | {"label_provenance": "dataset", "fetched_at": datetime(2026, 11, 2, tzinfo=UTC), "connector_version": "1"}


def put_day(settings: Settings, day: str, texts: list, *, topic: str = "games", source: str = "replay") -> Path:
    """Write one day of posts into lake/valid; a text may come with its label."""
    lake = Lake(settings.lake)
    partition = lake.partition("valid", source, topic, Window.parse(day))
    labelled = [text if isinstance(text, tuple) else (text, "neutral") for text in texts]
    rows = [post(hash_of(day, number), day, text, topic=topic, source=source) | {"label": label} for number, (text, label) in enumerate(labelled)]
    rows.sort(key=lambda row: row["post_id"])
    lake.write(partition, pa.Table.from_pylist(rows, POST), {"window": day, "status": "complete", "connector_version": "1"})
    return settings.lake / partition.name if not settings.lake_url else Path(partition.name)


def hash_of(*parts) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big")


def example(number: int, text: str, label: int, *, source: str = "replay", minute: int = 0) -> dict:
    """A row of a split."""
    row_id = f"{source}/games/{number}"
    when = datetime(2026, 10, 19 + number % 12, 0, minute % 60, tzinfo=UTC)
    row = {"row_id": row_id, "source": source, "post_id": str(number), "created_at": when, "lang": "en", "text": text, "label": label}
    return row | {"label_provenance": "human", "group": row_id, "tokens": len(text.split()) + 2}


def put_dataset(settings: Settings, splits: dict[str, list[dict]], *, topic: str = "games") -> Path:
    """Write a data set as prepare does, from the lake as it is now."""
    folder = settings.dataset(topic)
    lake = Lake(settings.lake)
    partitions = lake.manifest(lake.partitions("valid", topic=topic))
    tables = {name: pa.Table.from_pylist(rows, EXAMPLE) for name, rows in splits.items()}
    for name, table in tables.items():
        write_parquet(table, folder / f"{name}.parquet")
    summary = {name: {"rows": table.num_rows, "digest": rows_digest(table), "labels": {}, "provenances": {}} for name, table in tables.items()}
    windows = sorted({entry["window"] for entry in partitions.values()})
    manifest = {"topic": topic, "partitions": partitions, "windows": windows, "sources": {"replay": 1}, "splits": summary}
    manifest["params"] = {"group_by": ["duplicates", "author", "source_id"]}
    write_json(manifest, folder / "manifest.json")
    return folder


def rows_digest(table: pa.Table) -> str:
    """The digest of a split as the brief words it: over its row_id, label and text lines."""
    from groundswell.rows import digest

    return digest(table)


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))
