"""Everything that a report tells, gathered from where it lies, each with the name of that place.

Reads the registry, the subject's MLflow run, the ledger, the reports of prepare, validate, judge, compare, tune and monitor, and (for
words) the training rows of the data set. The subject is the champion; without one, the challenger. Writes nothing. What is not there is None,
what can't be asked is an error (`RegistryError`), and what can't be read names its file (`DatasetError`).
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from typing import Any

from groundswell import registry, runs
from groundswell.errors import DatasetError
from groundswell.examples import SPLITS, read_examples
from groundswell.ledger import Entry, Ledger
from groundswell.registry import CHALLENGER, CHAMPION, ModelVersion
from groundswell.settings import Settings
from groundswell.versions import directory_md5
from groundswell.words import words_shown

_WORDS = 60
_WINDOWS = 14
"""Monitored windows that are told of, the latest."""


@dataclass(frozen=True)
class Found:
    """What was read, or None, and where it was looked for."""

    value: Any
    source: str

    def __bool__(self) -> bool:
        return self.value is not None


@dataclass(frozen=True)
class Facts:
    """What is known of a topic."""

    topic: str
    is_demo: bool
    subject: ModelVersion | None
    is_champion: bool
    run: runs.Run | None
    manifest: Found
    dataset_md5: str | None
    prepare: Found
    is_prepare_of_subject: bool
    validation: Found
    validate: list[Found]
    train: Found
    environment: Found
    evaluate: Found
    confusion: Found
    reliability: Found
    words: Found
    verdict: Found
    last_verdict: Found
    compare: Found
    tune: Found
    monitor: list[Found]
    ledger: list[Entry]
    versions: list[ModelVersion] = field(default_factory=list)

    @property
    def splits(self) -> dict[str, dict]:
        """What the manifest says of each split, in the order of time."""
        return {name: self.manifest.value["splits"][name] for name in SPLITS if name in self.manifest.value["splits"]}

    @property
    def subject_named(self) -> str:
        """``version 3, the champion``."""
        if self.subject is None:
            return "no model"
        return f"version {self.subject.version}, the {CHAMPION if self.is_champion else CHALLENGER}"


def gather(topic: str, *, settings: Settings) -> Facts:
    """The `Facts` of ``topic``, as things are now."""
    champion = registry.version_by_alias(settings, topic, CHAMPION)
    subject = champion or registry.version_by_alias(settings, topic, CHALLENGER)
    of_run = _Artifacts(settings, subject)
    folder = settings.dataset(topic)
    on_disk = directory_md5(folder) if (folder / "manifest.json").is_file() else None
    md5 = (subject.tags.get("dataset_md5") if subject else None) or on_disk
    manifest = of_run.json("dataset/manifest.json") if subject else _file(settings, folder / "manifest.json")
    prepare = _file(settings, settings.report("prepare", topic))
    validation = of_run.json("dataset/validation.json")
    last = _file(settings, settings.report("judge", topic))
    return Facts(
        topic=topic,
        is_demo=settings.is_demo,
        subject=subject,
        is_champion=champion is not None,
        run=runs.read_run(settings, subject.run_id) if subject else None,
        manifest=manifest,
        dataset_md5=md5,
        prepare=prepare,
        is_prepare_of_subject=_same_rows(manifest.value, prepare.value),
        validation=validation,
        validate=_validate_reports(settings, topic, validation.value),
        train=of_run.json("train/report.json"),
        environment=of_run.json("environment.json"),
        evaluate=of_run.json("evaluate/report.json"),
        confusion=of_run.table("evaluate/confusion.csv"),
        reliability=of_run.table("evaluate/reliability.csv"),
        words=_words(settings, topic, manifest.value or {}, is_here=md5 is not None and md5 == on_disk),
        verdict=of_run.json("judge/verdict.json"),
        last_verdict=last if last and (subject is None or last.value["run_id"] != subject.run_id) else Found(None, last.source),
        compare=_file(settings, settings.report("compare", topic)),
        tune=_file(settings, settings.report("tune", topic)),
        monitor=_monitored(settings, topic),
        ledger=Ledger(settings, topic).entries(),
        versions=registry.versions(settings, topic),
    )


class _Artifacts:
    """The artifacts of the subject's run."""

    def __init__(self, settings: Settings, subject: ModelVersion | None):
        self._settings, self._subject = settings, subject

    def json(self, path: str) -> Found:
        text = self._text(path)
        return Found(json.loads(text) if text is not None else None, self._named(path))

    def table(self, path: str) -> Found:
        """A CSV artifact as a list of dictionaries."""
        text = self._text(path)
        return Found(list(csv.DictReader(io.StringIO(text))) if text is not None else None, self._named(path))

    def _text(self, path: str) -> str | None:
        return runs.read_text(self._settings, self._subject.run_id, path) if self._subject else None

    def _named(self, path: str) -> str:
        return f"MLflow run {self._subject.run_id[:8] if self._subject else NO_RUN}, {path}"


NO_RUN = "(there is none)"


def _file(settings: Settings, path) -> Found:
    source = path.relative_to(settings.root).as_posix()
    try:
        return Found(json.loads(path.read_text(encoding="utf-8")), source)
    except FileNotFoundError:
        return Found(None, source)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: expected JSON, found what can't be read ({error}): run the stage that writes it again") from None


def _same_rows(manifest: dict | None, prepare: dict | None) -> bool:
    """Whether prepare's report is of the data set that ``manifest`` describes: the digests of all splits are equal."""
    if not manifest or not prepare:
        return False
    digests = [{name: split["digest"] for name, split in one.get("splits", {}).items()} for one in (manifest, prepare)]
    return digests[0] == digests[1]


def _validate_reports(settings: Settings, topic: str, validation: dict | None) -> list[Found]:
    """The reports of validate that speak of the subject's partitions."""
    windows = sorted({entry["report"] for entry in (validation or {}).get("partitions", {}).values()})
    found = [_file(settings, settings.report("validate", topic, window)) for window in windows]
    return [one for one in found if one]


def _monitored(settings: Settings, topic: str) -> list[Found]:
    """Reports of single windows, the earliest first; a range's report only repeats them."""
    folder = settings.report("monitor", topic, "any").parent
    found = [_file(settings, path) for path in sorted(folder.glob("*.json")) if ".." not in path.stem]
    return found[-_WINDOWS:]


def _words(settings: Settings, topic: str, manifest: dict, *, is_here: bool) -> Found:
    """The words that tell a class's training rows; None where the folder holds another data set, or groups don't hold authors together."""
    folder = settings.dataset(topic)
    source = f"{folder.relative_to(settings.root).as_posix()}/train.parquet"
    if not is_here:
        return Found(None, source)
    rows = read_examples(folder, "train")
    return Found(words_shown(rows, rows.labels, _WORDS, manifest), source)
